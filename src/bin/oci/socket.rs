//! Opens and removes the Unix socket on which the Fn agent calls.
//!
//! The agent waits for a file of a given name, and may connect as soon as it exists. So the socket is bound under another
//! name first, and a link with the awaited name is created last.

use std::ffi::OsString;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

use thiserror::Error as ThisError;
use tokio::net::{UnixListener, UnixStream};

/// The scheme of a Unix socket's address.
const SCHEME: &str = "unix:";

/// The longest path that a Unix socket can have on Linux.
const MAX_PATH_BYTES: usize = 107;

/// Read and write for every user, because the agent is another user than the function.
const SOCKET_MODE: u32 = 0o666;

/// Why the socket cannot be opened.
#[derive(Debug, ThisError)]
pub(crate) enum Error {
    #[error("`FN_LISTENER` is `{0}`, expected `unix:` and the path of a file, as the agent sets it")]
    NotUnix(String),
    #[error(
        "the socket `{path}` has a path of {found} bytes, expected at most {MAX_PATH_BYTES}; choose a shorter one"
    )]
    TooLong { path: PathBuf, found: usize },
    #[error("the socket `{path}` cannot be {step}; the directory must be there and writable")]
    Step {
        path: PathBuf,
        step: &'static str,
        #[source]
        source: io::Error,
    },
}

/// A listening socket. Dropping it removes its files.
#[derive(Debug)]
pub(crate) struct Socket {
    listener: UnixListener,
    files: SocketFiles,
}

/// The link that the agent waits for, and the socket that it points to.
#[derive(Debug)]
struct SocketFiles {
    link: PathBuf,
    socket: PathBuf,
}

impl Socket {
    /// Opens the socket at an address like `unix:/tmp/iofs/lsnr.sock`. Removes the files of an earlier process first.
    pub(crate) fn open(address: &str) -> Result<Self, Error> {
        let (files, name) = SocketFiles::at(address)?;
        let step = |path: &Path, step, done: io::Result<()>| {
            done.map_err(|source| Error::Step { path: path.to_owned(), step, source })
        };
        step(&files.link, "removed", remove(&files.link))?;
        step(&files.socket, "removed", remove(&files.socket))?;
        let listener = UnixListener::bind(&files.socket).map_err(|source| Error::Step {
            path: files.socket.clone(),
            step: "bound",
            source,
        })?;
        let permissions = std::fs::Permissions::from_mode(SOCKET_MODE);
        step(&files.socket, "opened to the agent", std::fs::set_permissions(&files.socket, permissions))?;
        // Relative, because the agent has this directory mounted under another path.
        step(&files.link, "linked", symlink(name, &files.link))?;
        Ok(Self { listener, files })
    }

    /// Waits for the next connection.
    pub(crate) async fn accept(&self) -> io::Result<UnixStream> {
        self.listener.accept().await.map(|(stream, _)| stream)
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        for file in [&self.files.link, &self.files.socket] {
            // The next process removes what cannot be removed now.
            let _ = remove(file);
        }
    }
}

impl SocketFiles {
    /// The two files, and the name that the link points to.
    fn at(address: &str) -> Result<(Self, OsString), Error> {
        let not_unix = || Error::NotUnix(address.to_owned());
        let path = address.strip_prefix(SCHEME).filter(|path| !path.ends_with('/')).ok_or_else(not_unix)?;
        let link = PathBuf::from(path);
        let mut name = OsString::from("phony");
        name.push(link.file_name().ok_or_else(not_unix)?);
        let socket = link.with_file_name(&name);
        let found = socket.as_os_str().as_bytes().len();
        if found > MAX_PATH_BYTES {
            return Err(Error::TooLong { path: socket, found });
        }
        Ok((Self { link, socket }, name))
    }
}

fn remove(file: &Path) -> io::Result<()> {
    match std::fs::remove_file(file) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
