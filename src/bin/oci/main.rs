//! The OCI Functions host: hands each event to the flow and tells what became of it.

fn main() {}
