"""Chat logs: what users of five programs voted, ranked, thumbed, edited and said, into pairs; no model is called.

To use your own, name your logs in chat_logs(...): their formats are recognised. Build it under the name of a day, such
as 2026-03-02, to have what was said and judged on that day.
"""

from pathlib import Path

from assets.dataset import PreferenceDataset
from feedback.chatlogs.answers import logged
from feedback.chatlogs.cues import cues
from feedback.chatlogs.logs import chat_logs
from filters.pairs import exact_duplicate, identical
from filters.sides import empty, truncated
from preferences.by_events import pair_by_events
from preferences.event_changes import rephrases
from preferences.unpaired_by_events import unpaired_by_events

EXAMPLES = Path(__file__).parent.parent / "examples"

dataset = PreferenceDataset(
    name="chatlogs",
    messages=chat_logs(EXAMPLES / "chat"),
    feedback_events=cues(),
    prompts=logged(),
    responses=logged(),
    preferences=pair_by_events("vote", "rank", "thumb", "edit", "regenerate", "repair", rephrases(support=1),
                               test_share=0.1),
    kept=[empty, truncated, identical, exact_duplicate],
    unpaired=unpaired_by_events("thumb", "vote", "follow_up", test_share=0.1),
)
