//! The `stepladder` command: explain, replay and check what the function does.

mod cli;

fn main() -> std::process::ExitCode {
    cli::run()
}
