internal import HTTPClient
internal import Sidecar
internal import Threading

/// A costgauge that listens at a URL, as the commands with `--url` call it.
struct RunningServer {
    private let client: HTTPClient
    /// Without a slash at its end.
    let base: String
    /// The token, if one was named.
    private let headers: [(name: String, value: String)]

    /// Lends a server to `body`.
    static func with<Result>(
        _ url: String, _ arguments: Arguments, _ body: (RunningServer) throws -> Result
    ) throws -> Result {
        let headers = try ServerToken.headers(arguments)
        let client = HTTPClient(userAgent: "costgauge/\(Version.number)")
        client.start()
        defer { client.stop() }
        let base = url.hasSuffix("/") ? String(url.dropLast()) : url
        return try body(RunningServer(client: client, base: base, headers: headers))
    }

    /// Waits a minute for the whole answer.
    func get(_ path: String, responseBytesMax: Int) -> HTTPClientOutcome {
        var request = HTTPClientRequest(
            url: base + path, method: "GET", headers: [("Accept", "application/json")] + headers,
            body: [],
            totalMillis: 60_000)
        request.responseBytesMax = responseBytesMax
        return answer(request)
    }

    func post(
        _ path: String, _ body: [UInt8], type: String,
        headers: [(name: String, value: String)] = [], totalMillis: Int = 60_000
    ) -> HTTPClientOutcome {
        answer(
            HTTPClientRequest(
                url: base + path, headers: [("Content-Type", type)] + headers + self.headers,
                body: body, totalMillis: totalMillis))
    }

    private func answer(_ request: HTTPClientRequest) -> HTTPClientOutcome {
        waitForAnswer { client.send(request, completion: $0) }
    }
}
