//! The OCI Functions host: serves the Fn contract on a Unix socket, and answers each event.
//!
//! A permanent failure is logged and reported as handled. A failure that may succeed later is reported as failed. So is
//! an unusable policy, because no event may get lost meanwhile. The platform freezes the process between two calls, so no
//! work remains once a call is answered.

use std::future::pending;
use std::io;
use std::pin::{Pin, pin};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use stepladder::host::panics::print_only_places;
use stepladder::{config, environment, host, platform, text};
use thiserror::Error as ThisError;
use tokio::net::UnixStream;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{Mutex, watch};
use tokio::task::JoinSet;

mod invocation;
mod log;
mod socket;

use invocation::Function;
use log::{FunctionLog, LogFrame};
use socket::Socket;

/// The agent's protocol, which it names in `FN_FORMAT`.
const FORMAT: &str = "http-stream";

/// Where the function's settings are, for log lines.
const SETTINGS_PLACE: &str = "`STEPLADDER_MODE` is in func.yaml, which `fn deploy` applies; `fn config function` changes it until then";

/// Why the host cannot serve the function.
#[derive(Debug, ThisError)]
enum Error {
    #[error("`FN_FORMAT` is `{0}`, expected `{FORMAT}`; set the function's format to that, or leave it out")]
    Format(String),
    #[error("`FN_LISTENER` is not set, expected `unix:` and a path; start this as a function, or set it")]
    NoListener,
    #[error(transparent)]
    Socket(#[from] socket::Error),
    #[error(transparent)]
    Client(#[from] platform::NotCompiled),
    #[error("the socket takes no more calls")]
    Accept(#[source] io::Error),
    #[error("the signal to stop cannot be listened to")]
    Signal(#[source] io::Error),
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            log::error("start", &text::chain(&error));
            ExitCode::FAILURE
        }
    }
}

/// Prepares everything before the socket appears, because the agent calls as soon as it does.
async fn run() -> Result<(), Error> {
    print_only_places();
    // The kernel does not end a container's first process by a signal without a handler.
    let mut terminate = signal(SignalKind::terminate()).map_err(Error::Signal)?;
    if let Some(format) = environment::variable("FN_FORMAT").filter(|format| format != FORMAT) {
        return Err(Error::Format(format));
    }
    let address = environment::variable("FN_LISTENER").ok_or(Error::NoListener)?;
    let policy = config::policy_from_env().map_err(|error| text::chain(&error));
    if let Ok(policy) = &policy {
        host::log_mode(policy, SETTINGS_PLACE, &mut FunctionLog);
    }
    let function =
        Function { client: platform::oci()?, policy, frame: LogFrame::from_env(), turn: Mutex::default() };
    function.client.connect().await;
    let socket = Socket::open(&address)?;
    let stop = pin!(async move {
        terminate.recv().await;
    });
    serve(&socket, function, stop).await
}

/// Which connections end: all but the newest, or all.
#[derive(Debug, Clone, Copy, Default)]
struct Closing {
    newest: u64,
    stops: bool,
}

/// Serves every connection until the signal to stop. The agent opens another connection only when it no longer needs the
/// last one, so a new connection closes idle ones. A call that arrives slowly delays no other connection.
async fn serve<S>(socket: &Socket, function: Function, mut stop: Pin<&mut S>) -> Result<(), Error>
where
    S: Future<Output = ()>,
{
    let function = Arc::new(function);
    let (ending, _) = watch::channel(Closing::default());
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            () = stop.as_mut() => break,
            stream = socket.accept() => {
                let stream = stream.map_err(Error::Accept)?;
                ending.send_modify(|ending| ending.newest = ending.newest.saturating_add(1));
                let number = ending.borrow().newest;
                connections.spawn(serve_connection(stream, number, Arc::clone(&function), ending.subscribe()));
            }
            Some(_) = connections.join_next() => {}
        }
    }
    ending.send_modify(|ending| ending.stops = true);
    while connections.join_next().await.is_some() {}
    Ok(())
}

/// Serves one connection until it ends. When a newer one exists it serves only the call that has begun to arrive, and when
/// the process stops only the call that has arrived.
async fn serve_connection(
    stream: UnixStream,
    number: u64,
    function: Arc<Function>,
    mut ending: watch::Receiver<Closing>,
) {
    let has_arrived = AtomicBool::new(false);
    let service = service_fn(|request| async {
        let response = function.call(request, &has_arrived).await;
        has_arrived.store(false, Ordering::Relaxed);
        response
    });
    // A connection may stay idle for as long as it is the newest.
    let connection =
        http1::Builder::new().header_read_timeout(None).serve_connection(TokioIo::new(stream), service);
    let mut connection = pin!(connection);
    tokio::select! {
        // In this order: what has arrived is read before the connection is found idle.
        biased;
        ended = connection.as_mut() => return log_connection_error(ended),
        () = until(&mut ending, |ending| ending.stops || ending.newest > number) => {}
    }
    connection.as_mut().graceful_shutdown();
    let stopped = async {
        until(&mut ending, |ending| ending.stops).await;
        if has_arrived.load(Ordering::Relaxed) {
            pending::<()>().await;
        }
    };
    tokio::select! {
        ended = tokio::time::timeout(invocation::LONGEST_CALL, connection.as_mut()) => {
            log_connection_error(ended.unwrap_or(Ok(())));
        }
        () = stopped => {}
    }
}

/// Waits until the connection ends for this reason.
async fn until(ending: &mut watch::Receiver<Closing>, is_met: impl FnMut(&Closing) -> bool) {
    // Without a sender the process is ending.
    let _ = ending.wait_for(is_met).await;
}

/// Logs a broken connection. It affects no other connection.
fn log_connection_error(ended: Result<(), hyper::Error>) {
    if let Err(error) = ended {
        log::error("connection", &text::chain(&error));
    }
}
