"""Bounds that every service shares. A request beyond one is refused with a clear error, never truncated in silence."""

MAX_UPLOAD_BYTES = 64 * 2**20  # one film as a file; a 3000 × 3000 × 16-bit CR is 18 MB
MAX_MESSAGE_BYTES = MAX_UPLOAD_BYTES + 2**20  # the gRPC message around it
MAX_HTTP_BODY_BYTES = MAX_UPLOAD_BYTES * 4 // 3 + 2**20  # the same film as base64 in JSON
MAX_TEXT_CHARS = 4_000
MAX_SEARCH_LIMIT = 1_000
MAX_PAGE_SIZE = 1_000
MAX_BATCH = 256
MAX_FILTER_CHARS = 8_000
MAX_FILTER_DEPTH = 32
MAX_FILTER_CONDITIONS = 256
MAX_FILM_PIXELS = 64_000_000  # a 17 × 14 inch film at 0.05 mm is 61 million
