//! A coding agent's program, as `serial-ws mcp` sees it: JSON-RPC, one message a line.

use std::{
    io::{BufRead, BufReader, Write},
    process::ChildStdin,
    thread,
};

use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::{
    bridge::{Bridge, Ended, Program},
    wait::within,
};

/// The program that starts `serial-ws mcp` and calls its tools.
pub struct Agent {
    program: Program,
    /// None once the agent has left.
    stdin: Option<ChildStdin>,
    messages: mpsc::UnboundedReceiver<String>,
    /// The number of requests so far; each has its number as its id.
    requests: u64,
}

impl Agent {
    /// Starts `serial-ws mcp`, and says nothing yet.
    pub fn start(arguments: &[&str]) -> Self {
        let mut program = Program::start_in_a_pipe(&[&["mcp"], arguments].concat());
        let (stdin, stdout) = (program.take_stdin(), program.take_stdout());
        let (sender, messages) = mpsc::unbounded_channel();
        thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                // The test may have ended.
                let _ = sender.send(line);
            }
        });
        Self {
            program,
            stdin: Some(stdin),
            messages,
            requests: 0,
        }
    }

    /// Starts it for a bridge, and agrees on a revision of the protocol.
    pub async fn at(bridge: &Bridge, arguments: &[&str]) -> Self {
        let url = format!("http://{}", bridge.address());
        let mut agent = Self::start(&[&["--url", &url], arguments].concat());
        agent.greet("2025-11-25").await;
        agent
    }

    /// Agrees on a revision, and returns the answer.
    pub async fn greet(&mut self, revision: &str) -> Value {
        let answer = self
            .request(
                "initialize",
                json!({
                    "protocolVersion": revision,
                    "capabilities": {},
                    "clientInfo": {"name": "tester", "version": "1"}
                }),
            )
            .await;
        self.send(&json!({"jsonrpc": "2.0", "method": "notifications/initialized"}).to_string());
        answer
    }

    /// Sends a line.
    pub fn send(&mut self, line: &str) {
        let stdin = self.stdin.as_mut().expect("the agent is still there");
        writeln!(stdin, "{line}").expect("serial-ws mcp reads");
    }

    /// Sends a request without waiting for its answer, and returns its id.
    pub fn ask(&mut self, method: &str, params: Value) -> u64 {
        self.requests += 1;
        let id = self.requests;
        let request = json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params});
        self.send(&request.to_string());
        id
    }

    /// Returns the next message.
    pub async fn message(&mut self) -> Value {
        let line = within("a message of serial-ws mcp", self.messages.recv()).await;
        let line = line.expect("serial-ws mcp is still there");
        serde_json::from_str(&line).expect("each line is one message")
    }

    /// Sends a request, and returns the whole answer.
    pub async fn request(&mut self, method: &str, params: Value) -> Value {
        let id = self.ask(method, params);
        let answer = self.message().await;
        assert_eq!(answer["id"], id, "{answer}");
        answer
    }

    /// Calls a tool that answers, and returns its answer.
    pub async fn call(&mut self, tool: &str, arguments: Value) -> Value {
        let result = self.result(tool, arguments).await;
        assert_eq!(result["isError"], false, "{tool}: {result}");
        let answer = result["structuredContent"].clone();
        let text = result["content"][0]["text"].as_str().unwrap_or_default();
        assert!(text.len() <= 8192, "{} bytes", text.len());
        assert_eq!(text, answer.to_string(), "both say the same");
        answer
    }

    /// Calls a tool that refuses, and returns why: the kind of error and the sentence.
    pub async fn refused(&mut self, tool: &str, arguments: Value) -> (String, String) {
        let result = self.result(tool, arguments).await;
        assert_eq!(result["isError"], true, "{tool}: {result}");
        assert_eq!(result.get("structuredContent"), None);
        let text = result["content"][0]["text"].as_str().unwrap_or_default();
        let refusal: Value = serde_json::from_str(text).expect("a refusal is JSON");
        let word = |name: &str| refusal[name].as_str().unwrap_or_default().to_owned();
        (word("error"), word("text"))
    }

    async fn result(&mut self, tool: &str, arguments: Value) -> Value {
        let params = json!({"name": tool, "arguments": arguments});
        let answer = self.request("tools/call", params).await;
        let result = answer.get("result");
        result.unwrap_or_else(|| panic!("{tool}: {answer}")).clone()
    }

    /// Ends the input, and waits for the end of the program.
    pub async fn leave(mut self) -> Ended {
        self.stdin = None;
        self.program.ended().await
    }
}
