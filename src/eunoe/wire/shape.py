"""What every shape of the wire has in common."""

from pydantic import BaseModel, ConfigDict


class Shape(BaseModel):
    """A shape whose validator is made when it is first used."""

    model_config = ConfigDict(defer_build=True)
