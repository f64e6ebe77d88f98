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

use crate::server::limits::Descriptors;

/// Opens the files of a folder. Links are followed as long as they stay inside. Pipes, sockets and
/// devices are not opened: opening one waits, or has an effect.
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

    /// Returns the real path of a file or folder inside.
    fn resolve(&self, path: &Path) -> io::Result<(PathBuf, Metadata)> {
        let path = path.canonicalize()?;
        let metadata = path.metadata()?;
        let is_inside = path.starts_with(self.path.canonicalize()?);
        let is_served = is_inside && (metadata.is_file() || metadata.is_dir());
        is_served
            .then_some((path, metadata))
            .ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn open_file(&self, path: &Path) -> io::Result<OpenFile> {
        let (path, metadata) = self.resolve(path)?;
        if metadata.is_dir() {
            return Err(io::ErrorKind::NotFound.into());
        }
        let file = File::open(path)?;
        if self.descriptors.is_from_reserve(&file) {
            return Err(io::Error::other("too many files are open"));
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
        Box::pin(async move {
            let (_, metadata) = spawn_blocking(move || folder.resolve(&path)).await??;
            Ok(metadata)
        })
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
