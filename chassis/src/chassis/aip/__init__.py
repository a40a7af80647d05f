"""The common parts of Google's API Improvement Proposals (https://google.aip.dev).

filters      `filter` and `order_by` (AIP-160, AIP-132)
field_masks  `update_mask` (AIP-134)
pages        page sizes, and page tokens that cannot be forged (AIP-158)
messages     protobuf messages: required fields, and times
resources    a resource as it was read, with the time of the database, and its etag (AIP-154)
"""
