"""Search words understood: negation, doubt, side and size, and what that makes of a vector to search by.

plan = understood("small left effusion but no pneumothorax")      # or plain(text)
vector = plan.vector(encode.encode_prompts(plan.request(model)))  # of a plain one: encode_texts(model, plan.texts)
answer.understood = [message(mention) for mention in plan.mentions]
"""

from services.query.words.message import message
from services.query.words.plan import Part, WordsPlan, plain, understood
from services.query.words.polarity import Polarity
from services.query.words.understand import Mention, understand

__all__ = ["Mention", "Part", "Polarity", "WordsPlan", "message", "plain", "understand", "understood"]
