"""The names of variables in the environment: ours, those that others gave, and what they are."""

from collections.abc import Mapping
from typing import Final

PREFIX: Final = "EUNOE_"

ALIASES: Final[Mapping[str, str]] = {
    "LETTA_SERVER_PASSWORD": "EUNOE_PASSWORD",
    "OTEL_EXPORTER_OTLP_ENDPOINT": "EUNOE_OTLP_ENDPOINT",
    "SENTRY_DSN": "EUNOE_SENTRY_DSN",
}
"""Names that the field knows already, and the settings they stand for when those are not set."""

_HOSTED: Final = (
    *("Baseten", "Cerebras", "DeepSeek", "Fireworks", "Groq", "MiniMax"),
    *("Mistral", "OpenRouter", "Together", "xAI", "Z.ai"),
)
PROVIDER_VARIABLES: Final[Mapping[str, str]] = {
    "OPENAI_API_KEY": "Key of OpenAI, or of what answers at `OPENAI_BASE_URL`",
    "OPENAI_BASE_URL": "Base URL of any service that speaks OpenAI's chat completions",
    "ANTHROPIC_API_KEY": "Key of Anthropic",
    "ANTHROPIC_BASE_URL": "Base URL of the Anthropic API",
    "GEMINI_API_KEY": "Key of Google's Gemini API",
    "GEMINI_BASE_URL": "Base URL of the Gemini API",
    "OLLAMA_BASE_URL": "Base URL of an Ollama server, e.g. `http://127.0.0.1:11434`",
    "OLLAMA_API_KEY": "Key of that server, if it wants one",
    "LMSTUDIO_BASE_URL": "Base URL of an LM Studio server",
    "LMSTUDIO_API_KEY": "Key of that server, if it wants one",
    "VLLM_API_BASE": "Base URL of a vLLM server",
    "VLLM_API_KEY": "Key of that server, if it wants one",
    "SGLANG_API_BASE": "Base URL of an SGLang server",
    "SGLANG_API_KEY": "Key of that server, if it wants one",
    "LLAMACPP_BASE_URL": "Base URL of a llama.cpp server",
    "LLAMACPP_API_KEY": "Key of that server, if it wants one",
    "AZURE_BASE_URL": "Base URL of an Azure OpenAI deployment",
    "AZURE_API_KEY": "Key of Azure OpenAI",
    "AZURE_API_VERSION": "API version of Azure OpenAI",
    "AWS_ACCESS_KEY_ID": "Access key of Amazon Bedrock",
    "AWS_SECRET_ACCESS_KEY": "Secret key of Amazon Bedrock",
    "AWS_SESSION_TOKEN": "Token of a session of Amazon's, if the keys are such a session's",
    "AWS_DEFAULT_REGION": "Region of Amazon Bedrock",
    "GOOGLE_CLOUD_PROJECT": "Project of Google Cloud, whose default credentials are used",
    "GOOGLE_CLOUD_LOCATION": "Location of its models; both together make the provider",
    **{
        f"{title.upper().replace('.', '')}_{what}": text.format(title)
        for title in _HOSTED
        for what, text in (
            ("API_KEY", "Key of {}"),
            ("BASE_URL", "Base URL of what stands for {}, if it is not asked itself"),
        )
    },
    "OPENROUTER_REFERER": "Address that OpenRouter shows as the application's",
    "OPENROUTER_TITLE": "Name that OpenRouter shows as the application's",
    "EXA_API_KEY": "Key of Exa, which is asked first to search the web",
    "TAVILY_API_KEY": "Key of Tavily, which searches the web where there is no key of Exa",
    "SEARXNG_URL": "Base URL of a SearXNG server, which searches it where there is neither key",
    "E2B_API_KEY": "Key of E2B, for `EUNOE_SANDBOX=e2b`",
    "MODAL_TOKEN_ID": "Token of Modal, for `EUNOE_SANDBOX=modal`",
    "MODAL_TOKEN_SECRET": "Secret of that token",
}
"""What configures providers of models, search and sandboxes, by its usual name; what each is."""
