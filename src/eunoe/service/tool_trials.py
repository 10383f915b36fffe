"""Running a source that is no tool yet (X33)."""

from eunoe.domain.json_schema import without_nulls
from eunoe.domain.tool_drafts import Trial
from eunoe.domain.tools import RETURN_CHAR_LIMIT, ToolResult
from eunoe.errors import Invalid
from eunoe.service.custom_tools import told_of
from eunoe.tools.catalog import bounded
from eunoe.tools.custom import called_function, requirements, result_of
from eunoe.tools.programs import Executor, Program


async def run(executor: Executor, trial: Trial) -> tuple[str | None, ToolResult]:
    """Return the tool's name and what it came to; a source that cannot be read is a failure too.

    The name is the one that the schema has. What comes back is cut like any tool's (FIX-48).
    """
    draft = trial.draft
    source = draft.source_code or ""
    try:
        schema = told_of(draft, name=trial.name).schema
        function, _ = called_function(source, draft.source_type, schema.name)
    except Invalid as error:
        return trial.name, ToolResult(ok=False, output=str(error), stderr=(str(error),))
    program = Program(
        name=schema.name,
        function=function,
        source=source,
        language="typescript" if draft.source_type == "typescript" else "python",
        schema=schema.parameters,
        requirements=requirements(draft.pip_requirements or ()),
        npm_requirements=requirements(draft.npm_requirements or ()),
        environment=trial.environment,
    )
    ran = await executor.run(program, arguments=without_nulls(trial.arguments, schema.parameters))
    return schema.name, bounded(result_of(ran), limit=RETURN_CHAR_LIMIT)
