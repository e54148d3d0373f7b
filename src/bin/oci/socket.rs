//! The socket on which the Fn agent calls: where it lies, how it appears, and how it goes.
//!
//! The agent waits for a file of one name to appear, and may connect at that moment. So a socket of another
//! name gets ready first, and a link beside it, of the awaited name, is made last.

use std::ffi::OsString;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

use thiserror::Error as ThisError;
use tokio::net::{UnixListener, UnixStream};

/// How an address of this kind begins.
const SCHEME: &str = "unix:";

/// The longest path that a Unix socket can have on Linux.
const LONGEST: usize = 107;

/// The agent is another user than the function.
const FOR_EVERYBODY: u32 = 0o666;

/// Why there is no socket.
#[derive(Debug, ThisError)]
pub(crate) enum Error {
    #[error("`FN_LISTENER` is `{0}`, expected `unix:` and the path of a file, as the agent sets it")]
    NotUnix(String),
    #[error(
        "the socket `{path}` has a path of {found} bytes, expected at most {LONGEST}; choose a shorter one"
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

/// A socket that listens. Its files go with it.
#[derive(Debug)]
pub(crate) struct Socket {
    listener: UnixListener,
    files: Files,
}

/// What the agent waits for, and what that links to.
#[derive(Debug)]
struct Files {
    awaited: PathBuf,
    phony: PathBuf,
}

impl Socket {
    /// Opens the socket at an address like `unix:/tmp/iofs/lsnr.sock`, in place of what an earlier process
    /// may have left there.
    pub(crate) fn open(address: &str) -> Result<Self, Error> {
        let (files, name) = Files::at(address)?;
        let step = |path: &Path, step, done: io::Result<()>| {
            done.map_err(|source| Error::Step { path: path.to_owned(), step, source })
        };
        step(&files.awaited, "removed", remove(&files.awaited))?;
        step(&files.phony, "removed", remove(&files.phony))?;
        let listener = UnixListener::bind(&files.phony).map_err(|source| Error::Step {
            path: files.phony.clone(),
            step: "bound",
            source,
        })?;
        let permissions = std::fs::Permissions::from_mode(FOR_EVERYBODY);
        step(&files.phony, "opened to the agent", std::fs::set_permissions(&files.phony, permissions))?;
        // Relative: the agent sees this directory under another path.
        step(&files.awaited, "linked", symlink(name, &files.awaited))?;
        Ok(Self { listener, files })
    }

    /// The next connection.
    pub(crate) async fn accept(&self) -> io::Result<UnixStream> {
        self.listener.accept().await.map(|(stream, _)| stream)
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        for file in [&self.files.awaited, &self.files.phony] {
            // What cannot be removed now is removed by the next process.
            let _ = remove(file);
        }
    }
}

impl Files {
    /// The two files, and the name that the link points to.
    fn at(address: &str) -> Result<(Self, OsString), Error> {
        let not_unix = || Error::NotUnix(address.to_owned());
        let path = address.strip_prefix(SCHEME).filter(|path| !path.ends_with('/')).ok_or_else(not_unix)?;
        let awaited = PathBuf::from(path);
        let mut name = OsString::from("phony");
        name.push(awaited.file_name().ok_or_else(not_unix)?);
        let phony = awaited.with_file_name(&name);
        let found = phony.as_os_str().as_bytes().len();
        if found > LONGEST {
            return Err(Error::TooLong { path: phony, found });
        }
        Ok((Self { awaited, phony }, name))
    }
}

fn remove(file: &Path) -> io::Result<()> {
    match std::fs::remove_file(file) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
