//! The OCI Functions host: serves the Fn contract on a Unix socket, and hands each event to the flow.
//!
//! What would fail again is answered as handled, and logged. What may succeed later is a failure, and so is
//! a policy that cannot be used: no event may vanish for it. Between two calls the process is frozen, so
//! nothing is left to run once a call is answered.

use std::cell::Cell;
use std::io;
use std::pin::{Pin, pin};
use std::process::ExitCode;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use stepladder::{config, environment, platform, report, text};
use thiserror::Error as ThisError;
use tokio::net::UnixStream;
use tokio::signal::unix::{SignalKind, signal};

mod invocation;
mod log;
mod socket;

use invocation::Function;
use log::Frame;
use socket::Socket;

/// How the agent speaks to functions; it says so in `FN_FORMAT`, always.
const FORMAT: &str = "http-stream";

/// Why the function cannot be served.
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

/// Everything is in place before the socket appears, for the agent calls as soon as it does.
async fn run() -> Result<(), Error> {
    // The first process of a container is not ended by a signal that it does not listen to.
    let mut terminate = signal(SignalKind::terminate()).map_err(Error::Signal)?;
    if let Some(format) = environment::variable("FN_FORMAT").filter(|format| format != FORMAT) {
        return Err(Error::Format(format));
    }
    let address = environment::variable("FN_LISTENER").ok_or(Error::NoListener)?;
    let function = Function {
        cloud: platform::oci()?,
        policy: config::policy_from_env().map_err(|error| text::chain(&error)),
        frame: Frame::from_env(),
    };
    function.cloud.connect().await;
    let socket = Socket::open(&address)?;
    let stop = pin!(async move {
        terminate.recv().await;
    });
    serve(&socket, &function, stop).await
}

/// What is served next.
enum Next {
    Connection(UnixStream),
    Stop,
}

/// Serves one connection at a time. The agent has one, and takes another only when it has done with the last,
/// which is then closed as soon as no call is under way on it; so it is when the process is to stop.
async fn serve<S>(socket: &Socket, function: &Function, mut stop: Pin<&mut S>) -> Result<(), Error>
where
    S: Future<Output = ()>,
{
    let mut next = wait(socket, stop.as_mut()).await?;
    while let Next::Connection(stream) = next {
        next = match converse(stream, socket, function, stop.as_mut()).await? {
            Some(next) => next,
            None => wait(socket, stop.as_mut()).await?,
        };
    }
    Ok(())
}

/// Serves one connection to its end, and returns what that had to make way for, if anything.
async fn converse<S>(
    stream: UnixStream,
    socket: &Socket,
    function: &Function,
    stop: Pin<&mut S>,
) -> Result<Option<Next>, Error>
where
    S: Future<Output = ()>,
{
    let under_way = Cell::new(false);
    let service = service_fn(|request| async {
        under_way.set(true);
        let answer = function.called(request).await;
        under_way.set(false);
        answer
    });
    // How long a call may take, and how long a connection is kept, is the agent's to say.
    let connection =
        http1::Builder::new().header_read_timeout(None).serve_connection(TokioIo::new(stream), service);
    let mut connection = pin!(connection);
    tokio::select! {
        ended = connection.as_mut() => {
            told(ended);
            Ok(None)
        }
        next = wait(socket, stop) => {
            // Half a request that nobody goes on with must not keep anybody waiting.
            if under_way.get() {
                connection.as_mut().graceful_shutdown();
                told(connection.await);
            }
            next.map(Some)
        }
    }
}

async fn wait<S>(socket: &Socket, stop: Pin<&mut S>) -> Result<Next, Error>
where
    S: Future<Output = ()>,
{
    tokio::select! {
        () = stop => Ok(Next::Stop),
        stream = socket.accept() => stream.map(Next::Connection).map_err(Error::Accept),
    }
}

/// A connection that breaks harms no other.
fn told(ended: Result<(), hyper::Error>) {
    if let Err(error) = ended {
        log::error("connection", &text::chain(&error));
    }
}
