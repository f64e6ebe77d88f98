//! Opens the files of the user's folder (`--web`) for `tower-http`.

use std::fs::{File, Metadata};
use std::io;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::task::{Context, Poll};

use futures::future::BoxFuture;
use tokio::io::{AsyncRead, AsyncSeek, ReadBuf};
use tokio::task::spawn_blocking;
use tower_http::services::fs::{self, Backend};

use crate::platform;
use crate::server::limits::Descriptors;

/// Opens the files of a folder, as it is at each request, and none outside it.
#[derive(Clone)]
pub(super) struct Folder {
    path: PathBuf,
    descriptors: Descriptors,
}

impl Folder {
    /// Returns the folder at `path`, whose files are opened while there are descriptors for them.
    pub(super) fn new(path: &Path, descriptors: Descriptors) -> Self {
        let path = path.to_owned();
        Self { path, descriptors }
    }

    /// Returns the path of the folder itself.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Opens a file or folder inside, at a path that begins with that of the folder.
    fn open_any(&self, path: &Path) -> io::Result<File> {
        let name = path.strip_prefix(&self.path);
        let file = platform::open_beneath(&self.path, name.map_err(|_| io::ErrorKind::NotFound)?)?;
        if self.descriptors.is_from_reserve(&file) {
            return Err(io::Error::other("too many files are open"));
        }
        Ok(file)
    }

    fn open_file(&self, path: &Path) -> io::Result<OpenFile> {
        let file = self.open_any(path)?;
        if file.metadata()?.is_dir() {
            return Err(io::ErrorKind::NotFound.into());
        }
        Ok(OpenFile(file.into()))
    }
}

impl Backend for Folder {
    type File = OpenFile;
    type Metadata = Metadata;
    type OpenFuture = BoxFuture<'static, io::Result<OpenFile>>;
    type MetadataFuture = BoxFuture<'static, io::Result<Metadata>>;

    fn open(&self, path: PathBuf) -> Self::OpenFuture {
        let folder = self.clone();
        Box::pin(async move { spawn_blocking(move || folder.open_file(&path)).await? })
    }

    fn metadata(&self, path: PathBuf) -> Self::MetadataFuture {
        let folder = self.clone();
        Box::pin(async move { spawn_blocking(move || folder.open_any(&path)?.metadata()).await? })
    }
}

/// An open file, which is read on the threads for blocking work.
pub(super) struct OpenFile(tokio::fs::File);

impl fs::File for OpenFile {
    type Metadata = Metadata;
    type MetadataFuture<'a> = BoxFuture<'a, io::Result<Metadata>>;

    fn metadata(&self) -> Self::MetadataFuture<'_> {
        Box::pin(self.0.metadata())
    }
}

impl AsyncRead for OpenFile {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buf)
    }
}

impl AsyncSeek for OpenFile {
    fn start_seek(mut self: Pin<&mut Self>, position: io::SeekFrom) -> io::Result<()> {
        Pin::new(&mut self.0).start_seek(position)
    }

    fn poll_complete(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<u64>> {
        Pin::new(&mut self.0).poll_complete(cx)
    }
}
