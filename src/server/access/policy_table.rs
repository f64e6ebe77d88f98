//! The access policy as a table: each line is a request, and the decision on it.

use super::tests::{TOKEN, decision_after};
use std::collections::HashMap;

use super::policy::Lan;
use super::token::Token;
use super::*;

/// Client | configuration | place | request | decision | headers. The decision is read and write as
/// the operator, who may write to programs too, or as others, read-only, a question, or an HTTP status.
const TABLE: &str = "
our own page                           | -     | here | PAGE /                  | op  | Host: localhost:8080
our own page                           | -     | here | PAGE /                  | op  | Host: localhost:8080, Sec-Fetch-Site: none
our own page                           | -     | here | WS /                    | op  | Host: localhost:8080, Origin: http://localhost:8080
our own page                           | -     | here | WS /                    | op  | Host: 127.0.0.1:8080, Origin: http://127.0.0.1:8080
our own page                           | -     | here | WS /                    | op  | Host: [::1]:8080, Origin: http://[::1]:8080
our own page                           | -     | here | WS /                    | op  | Host: plant.localhost:8080, Origin: http://plant.localhost:8080
our own page                           | -     | here | GET /api/status         | op  | Host: localhost:8080, Sec-Fetch-Site: same-origin
our own page                           | -     | here | POST /api/ports/a/reset | op  | Host: localhost:8080, Origin: http://localhost:8080
our own page, a link of a site         | -     | here | PAGE /                  | op  | Host: localhost:8080, Sec-Fetch-Site: cross-site, Sec-Fetch-Mode: navigate, Sec-Fetch-Dest: document
our own page, in a frame of a site     | -     | here | PAGE /                  | 403 | Host: localhost:8080, Sec-Fetch-Site: cross-site, Sec-Fetch-Mode: navigate, Sec-Fetch-Dest: iframe
our own page, ssh -L                   | -     | here | WS /                    | op  | Host: localhost:9000, Origin: http://localhost:9000

page of another server here            | -     | here | WS /                    | rw  | Host: localhost:8080, Origin: http://localhost:5500
page of another server here            | -     | here | WS /                    | rw  | Host: localhost:8080, Origin: http://127.0.0.1:5500
page of another server here            | -     | here | WS /                    | rw  | Host: localhost:8080, Origin: http://[::1]:5500
page of another server here            | -     | here | WS /                    | rw  | Host: localhost:8080, Origin: https://sketch.localhost
page of another server here            | -     | here | GET /api/status         | rw  | Host: localhost:8080, Origin: http://localhost:5500
a library that adds a slash            | -     | here | WS /                    | rw  | Host: localhost:8080, Origin: http://localhost/

program                                | -     | here | WS /                    | op  | Host: localhost:8080
program                                | -     | here | GET /api/status         | op  | Host: 127.0.0.1:8080
program                                | -     | here | POST /api/ports/a/reset | op  | Host: [::1]:8080
no program: a browser says so          | -     | here | WS /                    | 403 | Host: localhost:8080, Sec-Fetch-Site: cross-site
no program: a browser says so          | -     | here | GET /api/status         | 403 | Host: localhost:8080, Sec-Fetch-Site: same-site
no program: a browser says so          | -     | here | POST /api/ports/a/reset | 403 | Host: localhost:8080, Sec-Fetch-Site: cross-site

page of a site                         | -     | here | WS /                    | ask | Host: localhost:8080, Origin: https://preview.p5js.org
page of a site                         | -     | here | GET /api/status         | ask | Host: localhost:8080, Origin: https://site.example
page of a site                         | -     | here | POST /api/ports/a/reset | ask | Host: localhost:8080, Origin: https://site.example
page of a site, listed                 | list  | here | WS /                    | rw  | Host: localhost:8080, Origin: https://site.example
page of a site, listed to read         | list  | here | WS /                    | ro  | Host: localhost:8080, Origin: https://screen.example
page of a site like a listed one       | list  | here | WS /                    | ask | Host: localhost:8080, Origin: https://site.example:444
page of a site like a listed one       | list  | here | WS /                    | ask | Host: localhost:8080, Origin: https://a.site.example
page of a site like a listed one       | list  | here | WS /                    | ask | Host: localhost:8080, Origin: https://site.example.evil
page of a site, answered y             | -     | here | WS /                    | rw  | Host: localhost:8080, Origin: https://yes.example
page of a site, answered r             | -     | here | WS /                    | ro  | Host: localhost:8080, Origin: https://look.example
page of a site, answered n             | -     | here | WS /                    | 403 | Host: localhost:8080, Origin: https://no.example
page of a site, with the token         | lan   | here | WS /?token=TOKEN        | rw  | Host: localhost:8080, Origin: https://site.example
page answered r, with the token        | lan   | here | WS /?token=TOKEN        | ro  | Host: localhost:8080, Origin: https://look.example
page answered r, with the token        | look  | lan  | WS /?token=TOKEN        | ro  | Host: pi.local:8080, Origin: https://yes.example
page listed to read, with the token    | token | here | WS /?token=TOKEN        | ro  | Host: localhost:8080, Origin: https://screen.example
page answered n, with the token        | lan   | here | WS /?token=TOKEN        | rw  | Host: localhost:8080, Origin: https://no.example
page of a site, saying hello           | -     | here | HELLO /hello            | ro  | Host: localhost:8080, Origin: https://site.example

null                                   | -     | here | WS /                    | ask | Host: localhost:8080, Origin: null
null                                   | -     | here | GET /api/status         | ask | Host: localhost:8080, Origin: null
null, answered y                       | null  | here | WS /                    | rw  | Host: localhost:8080, Origin: null
null, with the token                   | lan   | here | WS /?token=TOKEN        | rw  | Host: localhost:8080, Origin: null

a library that says file               | -     | here | WS /                    | ask | Host: localhost:8080, Origin: file://
a library that says file, answered y   | null  | here | WS /                    | rw  | Host: localhost:8080, Origin: file://
a library that says file, token        | lan   | lan  | WS /?token=TOKEN        | rw  | Host: 192.168.1.50:8080, Origin: file://

extension                              | -     | here | WS /                    | ask | Host: localhost:8080, Origin: chrome-extension://abcdefgh
page of an app                         | -     | here | WS /                    | ask | Host: localhost:8080, Origin: vscode-webview://0b1c2d3e
page of an app, listed                 | list  | here | WS /                    | rw  | Host: localhost:8080, Origin: vscode-webview://listed
program with a path, listed            | list  | here | WS /                    | rw  | Host: localhost:8080, Origin: https://lib.example/Path
extension, listed                      | list  | here | WS /                    | rw  | Host: localhost:8080, Origin: chrome-extension://listed

anything else                          | -     | here | WS /                    | 403 | Host: localhost:8080, Origin: http://site.example
anything else                          | -     | here | WS /                    | 403 | Host: localhost:8080, Origin: http://192.168.1.7
anything else                          | list  | here | WS /                    | 403 | Host: localhost:8080, Origin: https://lib.example/path
anything else                          | list  | here | WS /                    | 403 | Host: localhost:8080, Origin: https://site.example/
anything else                          | -     | here | WS /                    | 403 | Host: localhost:8080, Origin: https://user@localhost
anything else                          | -     | here | WS /                    | 403 | Host: localhost:8080, Origin: *
two origins                            | -     | here | WS /                    | 400 | Host: localhost:8080, Origin: http://localhost, Origin: http://localhost
two origins, with the token            | lan   | here | WS /?token=TOKEN        | 400 | Host: localhost:8080, Origin: null, Origin: null
two hosts, with the token              | lan   | lan  | WS /?token=TOKEN        | 400 | Host: pi.local, Host: pi.local
no host, with the token                | lan   | lan  | WS /?token=TOKEN        | 400 | Accept: x
no host                                | -     | here | WS /                    | 400 | Accept: x

foreign host (rebinding)               | -     | here | WS /                    | 403 | Host: evil.example:8080, Origin: http://evil.example:8080
foreign host (rebinding)               | -     | here | PAGE /                  | 403 | Host: evil.example:8080
foreign host (rebinding)               | -     | here | GET /api/status         | 403 | Host: evil.example:8080, Sec-Fetch-Site: same-origin
foreign host (rebinding)               | -     | here | HELLO /hello            | 403 | Host: evil.example:8080
foreign host (0.0.0.0)                 | -     | here | WS /                    | 403 | Host: 0.0.0.0:8080
foreign host (tunnel)                  | -     | here | WS /                    | 403 | Host: a.tunnel.example
foreign host, with the token           | lan   | lan  | WS /?token=TOKEN        | 403 | Host: evil.example:8080
foreign host, listed                   | list  | here | WS /                    | op  | Host: bench.lan:8080
foreign host, listed, its page         | list  | here | WS /                    | op  | Host: bench.lan:8080, Origin: http://bench.lan:8080
foreign host like a listed one         | list  | here | WS /                    | 403 | Host: a.bench.lan:8080

another computer                       | -     | lan  | WS /                    | 403 | Host: localhost:8080
another computer                       | lan   | lan  | WS /                    | 401 | Host: 192.168.1.50:8080
another computer                       | lan   | lan  | PAGE /                  | 401 | Host: pi.local:8080
another computer                       | lan   | lan  | GET /api/status         | 401 | Host: pi:8080
another computer, wrong token          | lan   | lan  | WS /?token=wrong        | 401 | Host: 192.168.1.50:8080
another computer, token                | lan   | lan  | WS /?token=TOKEN        | rw  | Host: 192.168.1.50:8080
another computer, token                | lan   | lan  | WS /?token=TOKEN        | rw  | Host: pi.local:8080, Origin: https://site.example
another computer, token                | lan   | lan  | WS /                    | rw  | Host: pi:8080, Authorization: Bearer TOKEN
another computer, token to read        | look  | lan  | WS /?token=TOKEN        | ro  | Host: pi.local:8080
another computer, cookie, our page     | lan   | lan  | WS /                    | rw  | Host: pi.local:8080, Origin: http://pi.local:8080, Cookie: serial-ws-8080=SESSION
another computer, cookie, our page     | lan   | lan  | PAGE /                  | rw  | Host: pi.local:8080, Cookie: serial-ws-8080=SESSION
another computer, cookie, other page   | lan   | lan  | WS /                    | 401 | Host: pi.local:8080, Origin: https://site.example, Cookie: serial-ws-8080=SESSION
another computer's address as host     | lan   | lan  | WS /?token=TOKEN        | 403 | Host: 192.168.1.51:8080
this computer by a name of the network | lan   | here | WS /                    | 401 | Host: pi.local:8080
another computer, the token as cookie  | lan   | lan  | PAGE /                  | 401 | Host: pi.local:8080, Cookie: serial-ws-8080=TOKEN
another computer, old cookie           | lan   | lan  | PAGE /                  | 401 | Host: pi.local:8080, Cookie: serial-ws-8080=old
this computer, old cookie              | lan   | here | PAGE /                  | op  | Host: localhost:8080, Cookie: serial-ws-8080=old
this computer, old cookie              | lan   | here | WS /                    | op  | Host: localhost:8080, Origin: http://localhost:8080, Cookie: serial-ws-8080=old
this computer, wrong token             | lan   | here | WS /?token=wrong        | 401 | Host: localhost:8080
this computer, with --lan              | lan   | here | WS /                    | op  | Host: localhost:8080
this computer, with --lan-token        | own   | here | WS /                    | op  | Host: localhost:8080
this computer, with --lan-token        | own   | here | PAGE /                  | op  | Host: localhost:8080
another computer, with --lan-token     | own   | lan  | WS /                    | 401 | Host: 192.168.1.50:8080
another computer, with --lan-token     | own   | lan  | WS /?token=TOKEN        | rw  | Host: 192.168.1.50:8080
a proxy here, with --lan-token         | own   | here | WS /                    | 401 | Host: localhost:8080, X-Forwarded-For: 203.0.113.9
a proxy here, with --lan-token         | own   | here | WS /?token=TOKEN        | rw  | Host: localhost:8080, X-Forwarded-For: 203.0.113.9
a site by a proxy here, --lan-token    | own   | here | WS /                    | 401 | Host: localhost:8080, Origin: http://localhost:8080, Via: 1.1 x
this computer, with --lan-read-only    | look  | here | WS /                    | op  | Host: localhost:8080

kiosk                                  | list  | here | WS /                    | op  | Host: localhost:8080, Origin: http://localhost:8080
kiosk, a proxy before it               | list  | here | WS /                    | 403 | Host: bench.lan, X-Forwarded-For: 203.0.113.9
kiosk, a proxy before it               | token | here | WS /                    | 401 | Host: bench.lan, X-Forwarded-For: 203.0.113.9
kiosk, a proxy before it               | token | here | WS /?token=TOKEN        | rw  | Host: bench.lan, X-Forwarded-For: 203.0.113.9

shared machine                         | token | here | WS /                    | 401 | Host: localhost:8080
shared machine                         | token | here | WS /                    | 401 | Host: localhost:8080, Origin: http://localhost:8080
shared machine                         | token | here | PAGE /                  | 401 | Host: localhost:8080
shared machine, old cookie             | token | here | PAGE /                  | 401 | Host: localhost:8080, Cookie: serial-ws-8080=old
shared machine, cookie, our page       | token | here | WS /                    | op  | Host: localhost:8080, Origin: http://localhost:8080, Cookie: serial-ws-8080=SESSION
shared machine, cookie, other page     | token | here | WS /                    | 401 | Host: localhost:8080, Origin: http://localhost:5500, Cookie: serial-ws-8080=SESSION
shared machine                         | token | here | WS /?token=TOKEN        | op  | Host: localhost:8080
shared machine                         | token | here | HELLO /hello            | ro  | Host: localhost:8080
";

/// Returns the policy of a configuration, on a computer that the network knows as `pi`.
fn policy(configuration: &str) -> Policy {
    let lan = |rights| Policy {
        lan: Some(Lan {
            rights,
            name: Some("pi".to_owned()),
        }),
        token: Some(Token::new(TOKEN)),
        ..Policy::default()
    };
    match configuration {
        "lan" => lan(Rights::ReadWrite),
        "look" => lan(Rights::ReadOnly),
        "own" => Policy {
            is_own_token: true,
            ..lan(Rights::ReadWrite)
        },
        "list" => Policy {
            hosts: vec!["bench.lan".to_owned()],
            origins: HashMap::from([
                ("https://site.example".to_owned(), Rights::ReadWrite),
                ("https://screen.example".to_owned(), Rights::ReadOnly),
                ("chrome-extension://listed".to_owned(), Rights::ReadWrite),
                ("vscode-webview://listed".to_owned(), Rights::ReadWrite),
                ("https://lib.example/Path".to_owned(), Rights::ReadWrite),
            ]),
            ..Policy::default()
        },
        "token" => Policy {
            hosts: vec!["bench.lan".to_owned()],
            origins: HashMap::from([("https://screen.example".to_owned(), Rights::ReadOnly)]),
            token: Some(Token::new(TOKEN)),
            is_own_token: true,
            token_for_all: true,
            ..Policy::default()
        },
        _ => Policy::default(),
    }
}

#[test]
fn the_policy_decides_as_the_table_says() {
    let mut answers = Answers::from([
        ("https://yes.example".to_owned(), Some(Rights::ReadWrite)),
        ("https://look.example".to_owned(), Some(Rights::ReadOnly)),
        ("https://no.example".to_owned(), None),
    ]);
    for row in TABLE.lines().filter(|row| !row.is_empty()) {
        let row = row.replace("TOKEN", TOKEN);
        let cells: Vec<_> = row.split('|').map(str::trim).collect();
        let [_, configuration, place, request, expected, headers] = cells[..] else {
            panic!("{row}");
        };
        if configuration == "null" {
            answers.insert("null".to_owned(), Some(Rights::ReadWrite));
        }
        let remote = match place {
            "here" => "127.0.0.1",
            _ => "192.168.1.9",
        };
        let fields = headers.split(", ").map(|field| field.split_once(": "));
        let fields: Vec<_> = fields.map(|field| field.expect(&row)).collect();
        let decision = decision_after(&answers, &policy(configuration), remote, request, &fields);
        assert_eq!(decision, expected, "{row}");
        answers.remove("null");
    }
}
