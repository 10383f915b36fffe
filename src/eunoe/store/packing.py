"""JSON objects in as few bytes as DEFLATE (RFC 1951) makes of them, whatever the engine.

Neither engine compresses a row as short as a message. Both sides of the compression know a
dictionary, without which it finds nothing to repeat in a sentence or two.
"""

import zlib
from typing import Final

# What is stored was packed with exactly this text: another one is another first byte.
_DICTIONARY: Final = (
    b"the of and to in a is you that it he was for on are as with his they I at be this have from "
    b"or one had by not what all were we when your can said there use an each which she do how "
    b"their if will up other about out many then them these so some her would make like him into "
    b"time has look two more go see number no way could people my than first been who its now find "
    b"long down day did get come made may part over new take only little work know place year me "
    b"back give most very after thing our just name good think say great where help through much "
    b"before right too mean any same tell want show also around three small set put end does "
    b"another well large must big even such because here why ask need different again change point "
    b"answer found still should world remember user memory message please thank don't I'm you're "
    b'"trace_id":"","project_id":"","error_type":"","cached_input_tokens":,"reasoning_tokens":,'
    b'"request_id":"call_","order":["is_error":true,"status":"success","stdout":[],"None",'
    b'"approvals":[{"call_id":"call_","approve":true,"reason":"'
    b'"returns":[{"call_id":"call_","name":"archival_memory_search","output":"OK"'
    b'"calls":[{"id":"call_","name":"conversation_search","arguments":{"query":"'
    b'"calls":[{"id":"call_","name":"memory_insert","arguments":{"label":"human","new_str":"'
    b'"calls":[{"id":"call_","name":"send_message","arguments":{"message":"'
    b'{"provider_name":"anthropic","provider_category":"base","model_handle":"anthropic/claude-'
    b'"model_endpoint":"https://api.anthropic.com/v1","context_window_limit":200000,'
    b'{"provider_name":"openai","provider_category":"base","model_handle":"openai/gpt-'
    b'"model_endpoint":"https://api.openai.com/v1","context_window_limit":128000,"usage":'
    b'{"prompt_tokens":1,"completion_tokens":1,"total_tokens":1,"cost_nanos":1},'
    b'"started_ns":17,"llm_started_ns":17,"llm_ns":1,"total_ns":1}'
    b'{"content":[{"text":"\\n\\n","type":"reasoning","signature":"","type":"text"}]}'
)
_PACKED: Final = b"\x01"
_RAW: Final = -zlib.MAX_WBITS
_LEVEL: Final = 4
# A window of 8 KiB is cleared in a quarter of the time, and a message is seldom longer.
_WINDOW: Final = -13
_MEMORY: Final = 7
_MOST: Final = 65_536
"""Past that a thread that serves others would be held up for more than a millisecond."""


def pack(text: bytes) -> bytes:
    """Return a JSON object as stored: compressed where that makes it shorter."""
    if len(text) > _MOST:
        return text
    packer = zlib.compressobj(_LEVEL, wbits=_WINDOW, memLevel=_MEMORY, zdict=_DICTIONARY)
    packed = b"".join((_PACKED, packer.compress(text), packer.flush()))
    return packed if len(packed) < len(text) else text


def unpack(stored: bytes) -> bytes:
    """Return the JSON text that `pack` was given; raise `zlib.error` for what it did not make."""
    if not stored.startswith(_PACKED):
        return stored
    return zlib.decompressobj(_RAW, zdict=_DICTIONARY).decompress(stored[1:])
