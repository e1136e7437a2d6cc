//! Archives in files: content is passed over without being read.

use std::io::{Read, Seek, SeekFrom};

use super::{Archive, ArchiveError};

impl<R: Read + Seek> Archive<R> {
    /// Where in the file the present entry's content begins, of which nothing was taken yet.
    pub fn content_begins(&self) -> u64 {
        self.position()
    }

    /// Bytes of the present entry's content that nothing was taken of yet.
    pub fn content_left(&self) -> u64 {
        self.content
    }

    /// Passes over the present entry's content. A file that ends in it is noticed by who reads that.
    ///
    /// # Errors
    /// As lseek(2).
    pub fn pass_over(&mut self) -> Result<(), ArchiveError> {
        let length = std::mem::take(&mut self.content).saturating_add(std::mem::take(&mut self.padding));
        let buffered = (self.end - self.start) as u64;
        if length <= buffered {
            self.start += length as usize;
            return Ok(());
        }
        self.start = self.end;
        let far = length - buffered;
        let offset = i64::try_from(far).map_err(|_| ArchiveError::Ends { at: self.position() })?;
        self.reader.seek(SeekFrom::Current(offset)).map_err(ArchiveError::Read)?;
        self.read = self.read.saturating_add(far);
        Ok(())
    }
}
