"""Rules of CronJobs: one run at a time, bounded, and failures stay visible."""

from collections.abc import Iterator

from verification.kubernetes.rendering import Object, Rendering, describe

DIFFERENCES_FOUND = 1
"""The exit code of a reconciliation that found differences, which need manual review."""


def schedules_run_one_at_a_time_and_are_bounded(rendering: Rendering) -> Iterator[str]:
    for each in rendering.of("CronJob"):
        spec, job = each["spec"], each["spec"]["jobTemplate"]["spec"]
        if spec.get("concurrencyPolicy") != "Forbid":
            yield f"{describe(each)}: concurrencyPolicy must be Forbid"
        if "activeDeadlineSeconds" not in job:
            yield f"{describe(each)}: needs activeDeadlineSeconds, or a hanging run blocks all others"
        if spec.get("startingDeadlineSeconds", 0) < 60:
            yield f"{describe(each)}: startingDeadlineSeconds must be 60 at least"
        if "timeZone" not in spec:
            yield f"{describe(each)}: without timeZone, its hour is the control plane's"


def failed_runs_are_kept(rendering: Rendering) -> Iterator[str]:
    """And those that are over do not fill the namespace."""
    for each in rendering.of("CronJob"):
        spec = each["spec"]
        if not 1 <= spec.get("failedJobsHistoryLimit", 0) <= 31:
            yield f"{describe(each)}: failedJobsHistoryLimit must keep failures, and a bounded number"
        if not 1 <= spec.get("successfulJobsHistoryLimit", 0) <= 31:
            yield f"{describe(each)}: successfulJobsHistoryLimit must keep a few"


def a_difference_fails_its_job_at_once(rendering: Rendering) -> Iterator[str]:
    """A retry would only find it again, later; a drained node is no failure."""
    for each in rendering.of("CronJob"):
        job = each["spec"]["jobTemplate"]["spec"]
        rules = job.get("podFailurePolicy", {}).get("rules", [])
        if not any(
            rule["action"] == "FailJob" and DIFFERENCES_FOUND in _codes(rule) for rule in rules
        ):
            yield f"{describe(each)}: exit code {DIFFERENCES_FOUND} must fail the Job (podFailurePolicy)"


def _codes(rule: Object) -> list[int]:
    codes = rule.get("onExitCodes", {})
    return list(codes.get("values", [])) if codes.get("operator") == "In" else []


RULES = (
    schedules_run_one_at_a_time_and_are_bounded,
    failed_runs_are_kept,
    a_difference_fails_its_job_at_once,
)
