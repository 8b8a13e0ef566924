"""What rows are: one file a table. Imports the standard library and pyarrow only, so that trainers can read it."""

from schemas.chat_messages import CHAT_MESSAGES
from schemas.completions import COMPLETIONS
from schemas.criteria import CRITERIA
from schemas.critiques import CRITIQUES
from schemas.executions import EXECUTIONS
from schemas.feedback_events import FEEDBACK_EVENTS, SIGNALS
from schemas.funnel import FUNNEL
from schemas.judgments import JUDGMENTS
from schemas.measurements import MEASUREMENTS
from schemas.outcomes import OUTCOMES
from schemas.preferences import DROPPED, LISTS, PREFERENCES, UNPAIRED
from schemas.programs import PROGRAMS
from schemas.prompts import PROMPTS
from schemas.rankings import RANKINGS
from schemas.responses import RESPONSES
from schemas.steps import STEPS
from schemas.test_cases import TEST_CASES
from schemas.test_inputs import TEST_INPUTS
from schemas.turn_cues import TURN_CUES

TABLES = {
    table.name: table
    for table in (
        PROMPTS, CRITERIA, COMPLETIONS, RESPONSES, CRITIQUES, MEASUREMENTS, JUDGMENTS, RANKINGS, PROGRAMS, TEST_INPUTS,
        EXECUTIONS, TEST_CASES, OUTCOMES, STEPS, CHAT_MESSAGES, SIGNALS, TURN_CUES, FEEDBACK_EVENTS, PREFERENCES,
        UNPAIRED, LISTS, DROPPED, FUNNEL,
    )
}
"""Every table by its name."""

__all__ = [
    "CHAT_MESSAGES", "COMPLETIONS", "CRITERIA", "CRITIQUES", "DROPPED", "EXECUTIONS", "FEEDBACK_EVENTS", "FUNNEL",
    "JUDGMENTS", "LISTS", "MEASUREMENTS", "OUTCOMES", "PREFERENCES", "PROGRAMS", "PROMPTS", "RANKINGS", "RESPONSES",
    "SIGNALS", "STEPS", "TABLES", "TEST_CASES", "TEST_INPUTS", "TURN_CUES",
    "UNPAIRED",
]
