//! The OCI Functions host: serves the Fn contract on a Unix socket, and answers each event.
//!
//! A permanent failure is logged and reported as handled. A failure that may succeed later is reported as failed. So is
//! an unusable policy, because no event may get lost meanwhile. The platform freezes the process between two calls, so no
//! work remains once a call is answered.

use std::cell::Cell;
use std::io;
use std::pin::{Pin, pin};
use std::process::ExitCode;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use stepladder::{config, environment, platform, text};
use thiserror::Error as ThisError;
use tokio::net::UnixStream;
use tokio::signal::unix::{SignalKind, signal};

mod invocation;
mod log;
mod socket;

use invocation::Function;
use log::LogFrame;
use socket::Socket;

/// The agent's protocol, which it names in `FN_FORMAT`.
const FORMAT: &str = "http-stream";

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
    // The kernel does not end a container's first process by a signal without a handler.
    let mut terminate = signal(SignalKind::terminate()).map_err(Error::Signal)?;
    if let Some(format) = environment::variable("FN_FORMAT").filter(|format| format != FORMAT) {
        return Err(Error::Format(format));
    }
    let address = environment::variable("FN_LISTENER").ok_or(Error::NoListener)?;
    let function = Function {
        client: platform::oci()?,
        policy: config::policy_from_env().map_err(|error| text::chain(&error)),
        frame: LogFrame::from_env(),
    };
    function.client.connect().await;
    let socket = Socket::open(&address)?;
    let stop = pin!(async move {
        terminate.recv().await;
    });
    serve(&socket, &function, stop).await
}

/// The next event on the socket.
enum SocketEvent {
    Connection(UnixStream),
    Stop,
}

/// Serves one connection at a time. The agent opens another only when it no longer needs the last one. A new connection
/// or a signal to stop closes the old connection as soon as its call is complete.
async fn serve<S>(socket: &Socket, function: &Function, mut stop: Pin<&mut S>) -> Result<(), Error>
where
    S: Future<Output = ()>,
{
    let mut next = wait(socket, stop.as_mut()).await?;
    while let SocketEvent::Connection(stream) = next {
        next = match serve_connection(stream, socket, function, stop.as_mut()).await? {
            Some(next) => next,
            None => wait(socket, stop.as_mut()).await?,
        };
    }
    Ok(())
}

/// Serves one connection until it ends or another event interrupts it, and returns that event.
async fn serve_connection<S>(
    stream: UnixStream,
    socket: &Socket,
    function: &Function,
    stop: Pin<&mut S>,
) -> Result<Option<SocketEvent>, Error>
where
    S: Future<Output = ()>,
{
    let in_call = Cell::new(false);
    let service = service_fn(|request| async {
        in_call.set(true);
        let response = function.call(request).await;
        in_call.set(false);
        response
    });
    // The agent alone limits the time of a call and of a connection.
    let connection =
        http1::Builder::new().header_read_timeout(None).serve_connection(TokioIo::new(stream), service);
    let mut connection = pin!(connection);
    tokio::select! {
        ended = connection.as_mut() => {
            log_connection_error(ended);
            Ok(None)
        }
        next = wait(socket, stop) => {
            // A request that arrived only in part must not delay the next connection.
            if in_call.get() {
                connection.as_mut().graceful_shutdown();
                log_connection_error(connection.await);
            }
            next.map(Some)
        }
    }
}

async fn wait<S>(socket: &Socket, stop: Pin<&mut S>) -> Result<SocketEvent, Error>
where
    S: Future<Output = ()>,
{
    tokio::select! {
        () = stop => Ok(SocketEvent::Stop),
        stream = socket.accept() => stream.map(SocketEvent::Connection).map_err(Error::Accept),
    }
}

/// Logs a broken connection. It affects no other connection.
fn log_connection_error(ended: Result<(), hyper::Error>) {
    if let Err(error) = ended {
        log::error("connection", &text::chain(&error));
    }
}
