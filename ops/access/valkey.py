"""Users of Valkey: keys, channels and commands of each service (its ACL rules)."""

CONNECTING = "-@all +ping +hello +auth +select +client|setinfo +client|setname"
READING_AND_WRITING = "+@read +@write +@pubsub +@transaction +@scripting"
COMMANDS = {
    "ingress": f"~* &*booking.decided {CONNECTING} {READING_AND_WRITING} -@dangerous",
    "worker": f"&*booking.decided {CONNECTING} +publish",
    "auditor": CONNECTING,
    "notifier": f"%R~*challenge:* {CONNECTING} +get",
}
"""The rule of each service. The operator may do everything."""
