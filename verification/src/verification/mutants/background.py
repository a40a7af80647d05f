"""Mistakes of what works by itself: the driver, the schedule, claims, the stream of events.

The explorer has no schedule: in its worlds any replica may take up any payment at any time. So these
are for the simulator to find: a payment that no replica takes up stays where it is.
"""

from verification.mutants.mutant import Edit, mutant

SCHEDULE = "domain/schedule.py"
EVENTS = "domain/events.py"
MEMORY = "repository/memory.py"
DRIVER = "service_layer/driver.py"
RECOVERY = "service_layer/recovery.py"
READ_EVENTS = "service_layer/read_events.py"
NEVER = "timedelta(days=9999)"

BACKGROUND = (
    mutant(
        "a new payment has no due time",
        Edit(MEMORY, "self._store.schedule(inserted.id, CLAIM_LASTS)", ""),
    ),
    mutant(
        "a claim does not set the next due time",
        Edit(MEMORY, "self.due[one] = now + CLAIM_LASTS", "self.due.pop(one)"),
    ),
    mutant(
        "a saved payment is not due again",
        Edit(MEMORY, "(row.id, None if saved.is_settled else CLAIM_LASTS)", "(row.id, None)"),
    ),
    mutant(
        "a payment is given up after three attempts",
        Edit(
            SCHEDULE,
            """
                return min(later, ends) if ends > timedelta(0) else later
            return soon
            """,
            f"""
                return min(later, ends) if ends > timedelta(0) else later
            return soon if attempt < 3 else {NEVER}
            """,
        ),
    ),
    mutant(
        "a payer is waited for by webhooks alone",
        Edit(SCHEDULE, "min(later, ends) if ends > timedelta(0) else later", NEVER),
    ),
    mutant(
        "an authorization is waited for by webhooks alone",
        Edit(
            SCHEDULE,
            "min(DAILY, ends) if ends > timedelta(0) else wait(attempt, jitter)",
            NEVER,
        ),
    ),
    mutant(
        "a refund is given up after three attempts",
        Edit(
            SCHEDULE,
            """
            if resource.state is RefundState.PENDING:
                return soon
            """,
            f"""
            if resource.state is RefundState.PENDING:
                return soon if attempt < 3 else {NEVER}
            """,
        ),
    ),
    mutant(
        "recovery claims no refunds",
        Edit(RECOVERY, "for lane in self.lanes:", "for lane in self.lanes[:1]:"),
    ),
    mutant(
        "the first error of a claim ends recovery",
        Edit(
            RECOVERY,
            """
            except Exception as error:
                self.on_unexpected_error(error)
                return []
            """,
            """
            except ValueError as error:
                self.on_unexpected_error(error)
                return []
            """,
        ),
    ),
    mutant(
        "the error of a step is not caught",
        Edit(
            RECOVERY,
            """
                await lane.driver.take_up(due)
            except Exception as error:
            """,
            """
                await lane.driver.take_up(due)
            except ValueError as error:
            """,
        ),
    ),
    mutant(
        "a finished step keeps its slot",
        Edit(RECOVERY, "task.add_done_callback(lane.tasks.discard)", ""),
    ),
    mutant(
        "the driver does not end the attempts at refunds",
        Edit(
            DRIVER,
            "if not resource.is_settled:",
            "if not resource.is_settled and hasattr(resource, 'request'):",
        ),
    ),
    mutant(
        "a reader of events resumes at the beginning of its page",
        Edit(
            READ_EVENTS,
            """
            for event in page:
                yield event
                cursor = event.cursor
            """,
            """
            for event in page:
                yield event
            cursor = page[0].cursor if page else cursor
            """,
        ),
    ),
    mutant(
        "a reader of events resumes before what it has read",
        Edit(
            MEMORY,
            "if read_cursor(one.cursor, GENERATION) > after][:limit]",
            "if read_cursor(one.cursor, GENERATION) >= after][:limit]",
        ),
    ),
    mutant(
        "an event is written for what did not happen",
        Edit(
            EVENTS,
            """
            if after.request != before.request:
                return NewEvent(EventType.UPDATED)
            return None
            """,
            "return NewEvent(EventType.UPDATED)",
        ),
    ),
)
