//! Other protocols, which clients speak that were written for another server: recognises them, and
//! says what to do instead. Pure.

use axum::http::Uri;

/// The beginning of p5.serialport's request to open a port, as `JSON.stringify` writes it.
const OPEN_SERIAL: &str = r#"{"method":"openserial","data":{"serialport":"#;

/// The only request that sketches for p5.serialport send before.
const LIST_SERIAL: &str = r#"{"method":"list","data":{}}"#;

/// The Close reason for a client of Socket.IO. It fits the 123 bytes of a Close frame.
pub(crate) const SOCKET_IO: &str = "Socket.IO is not served here: load /socket.io/socket.io.js from \
    serial-ws, or use new WebSocket(\"ws://localhost:8080\")";

/// The Close reason for a client of p5.serialport.
pub(crate) const P5_SERIALPORT: &str = "p5.serialport is served elsewhere: start serial-ws with --p5, \
    and use new p5.SerialPort() without a TCP port";

/// The answer to a request of Socket.IO by HTTP.
pub(crate) const SOCKET_IO_ANSWER: &str = "\
Socket.IO is not served here: serial-ws speaks plain WebSocket. A page keeps its io(), socket.on(…) and
socket.emit(…) if it loads the io() of serial-ws in place of Socket.IO's own client, from

  http://localhost:8080/socket.io/socket.io.js

Or leave that out, and write

  const socket = new WebSocket(\"ws://localhost:8080\");
  socket.onmessage = (event) => console.log(event.data);
  socket.onopen = () => socket.send(\"hello\\n\");

If serial-ws listens elsewhere, write what it printed instead of localhost:8080.
";

/// The path from which pages made for Socket.IO load its client.
pub(crate) const SOCKET_IO_CLIENT: &str = "/socket.io/socket.io.js";

/// Returns true for a request of Socket.IO, or of Engine.IO below it, whatever its path.
pub(crate) fn is_socket_io(uri: &Uri) -> bool {
    let is_path = matches!(uri.path(), "/socket.io") || uri.path().starts_with("/socket.io/");
    is_path || is_engine_io(uri)
}

/// Returns true for a query that only clients of Engine.IO send: `EIO=4&transport=polling`.
pub(crate) fn is_engine_io(uri: &Uri) -> bool {
    let keys = uri.query().unwrap_or_default().split('&');
    let keys: Vec<_> = keys.filter_map(|pair| pair.split('=').next()).collect();
    keys.contains(&"EIO") && keys.contains(&"transport")
}

/// Returns true if a client that begins with this text speaks the protocol of p5.serialport.
pub(crate) fn is_p5_serialport(text: &str) -> bool {
    text.starts_with(OPEN_SERIAL)
}

/// Returns true if the message after this one may be the one that shows p5.serialport.
pub(crate) fn may_be_p5_serialport(text: &str) -> bool {
    text == LIST_SERIAL
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(target: &'static str, expected: bool) {
        assert_eq!(is_socket_io(&Uri::from_static(target)), expected);
    }

    #[test]
    fn socket_io_is_recognised_by_its_path_or_its_query() {
        check("/socket.io/?EIO=4&transport=polling&t=Pxyz", true);
        check("/socket.io/?EIO=3&transport=websocket", true);
        check("/socket.io/socket.io.js", true);
        check("/socket.io", true);
        check("/?EIO=4&transport=websocket", true);
        check("/ports/uno?transport=polling&EIO=4", true);
        check("/?EIO=4", false);
        check("/?transport=polling", false);
        check("/?view=json&token=EIO&append=transport", false);
        check("/socket.iot/", false);
    }

    #[test]
    fn p5_serialport_is_recognised_by_its_request_to_open_a_port() {
        let open = r#"{"method":"openserial","data":{"serialport":"/dev/ttyACM0","serialoptions":{"baudrate":9600}}}"#;
        assert!(is_p5_serialport(open));
        for other in [
            "H",
            "{}",
            r#"{"method":"openserial"}"#,
            r#"{"method":"openserial","data":{}}"#,
            r#"{"method":"write","data":"H"}"#,
            r#" {"method":"openserial","data":{"serialport":"COM3"}}"#,
            r#"["openserial"]"#,
        ] {
            assert!(!is_p5_serialport(other), "{other}");
        }
    }

    #[test]
    fn the_reasons_fit_a_close_frame() {
        assert!(SOCKET_IO.len() <= 123, "{}", SOCKET_IO.len());
        assert!(P5_SERIALPORT.len() <= 123, "{}", P5_SERIALPORT.len());
    }
}
