"""The errors Winnow raises, named by what the reader of the message has to do.

WinnowError                 anything we raise on purpose; the command line prints it on one screen, without a traceback
├── ConfigError             the recipe, engines file or command line is wrong: change it
├── InputError              a file that was read is wrong: names file, line, field and remedy
├── BucketError             objects of a bucket cannot be listed or read now: names the object; nothing of it is kept
├── SchemaError             rows break a table's rules: names table, rule, count and example ids
├── EngineError             a model server does not answer as it should: names the engine, never the key
│   └── BudgetError         the spending limit is reached: raise it or stop here; nothing paid is lost
├── StoreError              the reply store cannot be read or written (disk full, damaged segment)
├── SandboxError            this machine cannot confine programs as asked: says what would
├── HeldError               another process builds the same build: names the holder
└── ExportError             a dataset folder cannot be written or would not load
"""


class WinnowError(Exception):
    """Base of all errors that Winnow raises on purpose."""


class ConfigError(WinnowError):
    """The recipe, the engines file or the command line asks for something that cannot be."""


class InputError(WinnowError):
    """A file that was read breaks its format; the message names file, line, field and remedy."""


class BucketError(WinnowError):
    """An object of a bucket cannot be listed or read now; the message names it, without passwords."""


class SchemaError(WinnowError):
    """Rows break a table's rules; the message names table, rule, count and three example ids."""


class EngineError(WinnowError):
    """A model server is down, refuses the key, or does not know the model."""


class BudgetError(EngineError):
    """The budget in tokens or money is spent; replies so far are stored and will not be paid for again."""


class StoreError(WinnowError):
    """The reply store cannot be read or written."""


class SandboxError(WinnowError):
    """Programs cannot be confined as asked; the message says what to do."""


class HeldError(WinnowError):
    """Another process holds this build; the message names it."""


class ExportError(WinnowError):
    """A dataset folder cannot be written, or would not load where it is meant to."""
