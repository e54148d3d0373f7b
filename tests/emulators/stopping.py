"""When an emulator stops: when its starter closes its standard input, or on a signal."""

import os
import signal
import threading


def stop_event():
    """Set when standard input ends or a signal arrives."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())

    def read_to_the_end():
        while os.read(0, 4096):
            pass
        stop.set()

    threading.Thread(target=read_to_the_end, daemon=True).start()
    return stop
