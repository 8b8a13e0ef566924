"""Refusals: what models say when they refuse, and what only sounds like it."""

import polars as pl
import pytest

from filters.refusal import refusals

REFUSING = """\
I'm sorry, but I can't help with that.
I’m sorry, but I can’t assist with that request.
I cannot fulfill your request. I am just an AI, it is not within my programming or ethical guidelines to do so.
Sorry, I can't provide instructions for making explosives.
Sorry, but I can't.
As an AI language model, I cannot provide medical advice. Please see a doctor.
As a responsible and ethical AI language model, I cannot provide you with the steps to do this.
I am unable to assist with this.
I'm not able to help with that.
I must respectfully decline to write this story.
I apologize, but I cannot fulfill that request as it goes against ethical and moral principles.
Unfortunately, I am not able to help you with creating malware.
I won't help you write that phishing e-mail.
I understand you're frustrated, but I can't help you harm anyone.
**I'm sorry, but I cannot generate hateful content.**
I'm not comfortable writing that.
No, I can't help you with that.
I don't feel comfortable providing that.
I will not provide information on how to build a bomb.
I cannot in good conscience provide instructions for that.
It would be unethical for me to help you cheat.
I'm sorry, but as an AI language model, I don't have personal opinions.
I can’t create content that sexualizes minors.""".splitlines()

ANSWERING = """\
I can't help but smile when I think of that summer.
"I can't help you," said the wizard, and closed the door.
Here is a story. "I'm sorry, but I can't help you," the clerk said, and Dave began to cry.
The old man whispered: I can't do this anymore.
Sure! Here is a refusal letter: Dear Sir, I cannot accept your offer.
Refusing politely: say "I can't help with that".
I'm sorry to hear that you are feeling down. Here are a few ideas.
I'm sorry for the confusion. The answer is 42.
I apologize for the delay. Attached is the report you asked for.
Sorry, I made an error earlier: 12 x 12 is 144.
I cannot recommend this restaurant enough.
I can't wait to tell you about my trip!
I can't believe it's not butter is a brand of spread.
Unfortunately, the library closes at five.
I don't know the answer to that.
I cannot say for sure, but the battle was probably in 1415.
No, you can't divide by zero, because no number times zero is one.
As an AI language model, I can explain how vaccines work.
I won't lie, this one is hard, but here is how it goes.
You can't help with that if you don't know the rules.
I couldn't agree more. Exercise improves mood.
I couldn't help with the dishes that night, my arm being broken.
It is illegal to share your password in some states.
I appreciate your question. The capital is Paris.
I will not go gentle into that good night, wrote the poet's son.
The question is whether P equals NP.

""".splitlines()


@pytest.mark.parametrize("text", REFUSING)
def test_a_refusal_is_seen_with_the_words_that_refuse(text: str) -> None:
    words = refusals(pl.Series([text]))[0]
    assert words
    assert words.removeprefix("i am ")[:20] in text.lower().replace("’", "'")


@pytest.mark.parametrize("text", ANSWERING)
def test_an_answer_that_only_sounds_like_a_refusal_is_none(text: str) -> None:
    assert refusals(pl.Series([text]))[0] is None


def test_a_refusal_after_the_beginning_of_an_answer_is_not_looked_for() -> None:
    assert refusals(pl.Series(["Paris. " * 90 + "I'm sorry, but I can't help with that."]))[0] is None
