//! Plain HTTP/1.1 over TLS: one request, one answer, in a given time. Knows no cloud.
