"""What can be in a scene, by name."""

from __future__ import annotations

#: Names of colours, each with the RGB values between which a colour of that name is drawn.
COLOURS = {
    "red": ((190, 10, 10), (235, 50, 50)),
    "orange": ((240, 125, 0), (255, 155, 30)),
    "yellow": ((235, 215, 20), (255, 240, 90)),
    "green": ((10, 120, 30), (60, 165, 70)),
    "blue": ((10, 50, 170), (50, 100, 225)),
    "purple": ((105, 20, 130), (145, 55, 175)),
    "pink": ((245, 130, 175), (255, 175, 205)),
    "black": ((0, 0, 0), (35, 35, 35)),
}
PLATES = ("sign", "badge")  # carry text: a rectangle and an ellipse
FIGURES = ("circle", "triangle", "square", "star")  # carry none
SHAPES = (*PLATES, *FIGURES)

#: What can stand on a slip of paper, and the kind of value beside it.
FIELDS = {
    "total": "amount",
    "price": "amount",
    "date": "day",
    "room": "place",
    "seat": "place",
    "gate": "place",
    "name": "word",
}
_NAMES = "ANNA BEN CARL DORA EMIL FINN HUGO IDA JAN KIM LARS MIA NOAH OLGA PAUL ROSA SAM TOM ZOE"
_WORDS = (
    "BAR BUS CAFE CAR CITY DOOR EAST EXIT FARM FIRE GATE GOLD HALL HOME JAZZ LIFT MAIN MENU MILK OPEN "
    "PARK POST PUSH SALE SHOP STOP TAXI TEA TRAM VIEW WEST ZOO"
)
NAMES, WORDS = _NAMES.split(), _WORDS.split()
DIGITS = "0123456789"
CODE_LETTERS = "ACEFHJKLMNPRTUVWXY"  # of codes: none that is easily taken for a digit, as B for 8 and O for 0
CHARACTERS = DIGITS + "ABCDEFGHIJKLMNOPQRSTUVWXYZ" + "."
LONGEST = 5  # characters of a text
