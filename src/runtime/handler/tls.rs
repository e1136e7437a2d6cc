//! TLS as the kubelet's prober has it: whoever answers is believed. A server that speaks HTTP in clear text is told from
//! others, as Go does.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, ClientConnection, DigitallySignedStruct, Error, SignatureScheme, StreamOwned};

/// A connection over TLS.
pub(super) type Stream = StreamOwned<ClientConnection, Sniffed>;

/// Why there is none.
#[derive(Debug)]
pub(super) enum Refusal {
    /// The server speaks HTTP in clear text.
    ClearText,
    /// Something else.
    Failed(io::Error),
}

/// Shakes hands; `protocol`: what is to be spoken (ALPN), where that isn't HTTP/1.1.
pub(super) fn connect(stream: TcpStream, host: &str, protocol: Option<&[u8]>) -> Result<Stream, Refusal> {
    let failed = |cause: Error| Refusal::Failed(io::Error::other(cause));
    let provider = Arc::new(ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(failed)?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Anybody))
        .with_no_client_auth();
    config.alpn_protocols = protocol.into_iter().map(<[u8]>::to_vec).collect();
    let name = ServerName::try_from(host.to_owned()).map_err(|cause| Refusal::Failed(io::Error::other(cause)))?;
    let mut connection = ClientConnection::new(Arc::new(config), name).map_err(failed)?;
    let mut stream = Sniffed { stream, first: Vec::new() };
    while connection.is_handshaking() {
        if let Err(cause) = connection.complete_io(&mut stream) {
            let clear = stream.first == b"HTTP/";
            return Err(if clear { Refusal::ClearText } else { Refusal::Failed(cause) });
        }
    }
    Ok(StreamOwned::new(connection, stream))
}

/// A stream whose first bytes are remembered: as many as a record's head has.
#[derive(Debug)]
pub(super) struct Sniffed {
    stream: TcpStream,
    first: Vec<u8>,
}

impl Read for Sniffed {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        const HEAD: usize = 5;
        let count = self.stream.read(buffer)?;
        let wanted = HEAD.saturating_sub(self.first.len()).min(count);
        self.first.extend_from_slice(&buffer[..wanted]);
        Ok(count)
    }
}

impl Write for Sniffed {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        self.stream.write(buffer)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}

/// Believes everybody: a probe asks its own pod.
#[derive(Debug)]
struct Anybody;

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        ring::default_provider().signature_verification_algorithms.supported_schemes()
    }
}
