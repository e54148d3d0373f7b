//! The `stepladder` command: explain, rehearse and check what the function does.

mod cli;

fn main() -> std::process::ExitCode {
    cli::run()
}
