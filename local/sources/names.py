"""Names of people who do not exist, some as hard to write as real ones."""

FIRST_NAMES = (
    "Ada",
    "Björn",
    "Chloé",
    "Dmitri",
    "Eun-ji",
    "Fatima",
    "Grace",
    "Hiro",
    "Inés",
    "Jamal",
    "Kim",
    "Łukasz",
)
LAST_NAMES = ("Andersson", "Brown", "Çelik", "D'Angelo", "Evans", "Fischer", "García", "Huang", "Ivanov", "Jones")
