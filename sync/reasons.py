"""The closed list of reason codes (protocol section 12). Names and numbers are stable; words are in node/texts."""

from __future__ import annotations

from enum import IntEnum


class Reason(IntEnum):
    """Why something was refused, parked or closed; numbers as on the wire."""

    NONE = 0
    # link
    FEDERATION_MISMATCH = 101
    VERSION_TOO_OLD = 102
    NOT_ENROLLED = 103
    CERTIFICATE_EXPIRED = 104
    CERTIFICATE_REVOKED = 105
    CERTIFICATE_NOT_REGISTERED = 106
    SUSPENDED = 107
    CLONE = 108
    LIMIT_EXCEEDED = 109
    NO_CREDIT = 110
    MALFORMED = 111
    TIMEOUT = 112
    NOT_YOUR_ORIGIN = 113
    # chain
    BAD_HEADER_HASH = 201
    BAD_PREV = 202
    GAP = 203
    BAD_PAYLOAD_DIGEST = 204
    BAD_SEAL = 205
    NO_SEAL = 206
    UNKNOWN_ENROLMENT = 207
    ENROLMENT_CLOSED = 208
    ENROLMENT_FELL = 209
    ADOPTION_MISSING = 210
    SUITE_FELL = 211
    CURSOR_BEYOND_HEAD = 212
    EPOCH_UNKNOWN = 213
    EPOCH_NOT_CONFIRMED = 214
    FORK = 215
    ROUTE_CHANGED = 216
    # rows
    OUT_OF_SCOPE = 301
    UNKNOWN_DATASET = 302
    UNKNOWN_COLUMN = 303
    UNKNOWN_SCHEMA_VERSION = 304
    WRONG_TYPE = 305
    TOO_LONG = 306
    KEY_MISSING = 307
    UNKNOWN_CODE = 308
    MISSING_DEPENDENCY = 309
    RULE_BROKEN = 310
    NOT_OWNER = 311
    HELD_BACK_PRESENT = 312
    STALE_VERSION = 313
    # flows
    NOT_YOUR_MOVE = 401
    WRONG_STATE = 402
    MISSING_FIELD = 403
    CROSSED = 404
    WITHDRAWN = 405
    UNKNOWN_FLOW = 406
    # node
    RECOVERING = 501
    FROZEN = 502
    READ_ONLY = 503
    DISK_FULL = 504
    RETENTION_EXCEEDED = 505
    SNAPSHOT_NEEDED = 506
    ATTACHMENT_NOT_SHARED = 507
