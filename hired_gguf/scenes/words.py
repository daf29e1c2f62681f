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
    "tax": "amount",
    "date": "day",
    "time": "day",
    "room": "place",
    "seat": "place",
    "gate": "place",
    "table": "place",
    "name": "word",
}
_NAMES = "ANNA BEN CARL DORA EMIL FINN GRETA HUGO IDA JAN KIM LARS MIA NOAH OLGA PAUL ROSA SAM TOM ZOE"
_WORDS = (
    "BAR BUS CAFE CAR CITY DOOR EAST EXIT FARM FIRE GATE GOLD HALL HOME HOTEL JAZZ KIOSK LIFT MAIN MENU MILK "
    "NORTH OPEN PARK PIZZA POST PUSH QUIET RIVER SALE SHOP SOUTH STOP TAXI TEA TRAM VIEW WATER WEST ZOO"
)
NAMES, WORDS = _NAMES.split(), _WORDS.split()
DIGITS = "0123456789"
LETTERS = "ABCDEFGHJKLMNPRSTUVWXYZ"  # neither I nor O nor Q: nobody can tell them from 1 and 0 in a code
CHARACTERS = DIGITS + "ABCDEFGHIJKLMNOPQRSTUVWXYZ" + "."
LONGEST = 5  # characters of a text
