import CCurl

/// One request under way. libcurl holds its address from `prepare` until the handle is removed; the
/// client's table keeps it alive that long.
@safe
final class Transfer: @unchecked Sendable {
    // Touched by the sending thread before it is queued, then by the client's thread alone.
    let request: HTTPClientRequest
    private let completion: @Sendable (HTTPClientOutcome) -> Void
    private var easy: UnsafeMutableRawPointer?
    private var headers: UnsafeMutablePointer<curl_slist>?
    var body: [UInt8] = []
    private var retryAfter: String?
    private var isFull = false
    /// How much of a mail was handed over.
    var sent = 0
    var recipients: UnsafeMutablePointer<curl_slist>?

    init(
        _ request: HTTPClientRequest, _ completion: @escaping @Sendable (HTTPClientOutcome) -> Void
    ) {
        self.request = request
        self.completion = completion
    }

    deinit {
        unsafe curl_easy_cleanup(easy)
        unsafe curl_slist_free_all(headers)
        unsafe curl_slist_free_all(recipients)
    }

    func finish(_ outcome: HTTPClientOutcome) { completion(outcome) }

    func prepare(userAgent: String) -> UnsafeMutableRawPointer? {
        let schemes = request.mail == nil ? ["http://", "https://"] : ["smtp://", "smtps://"]
        guard schemes.contains(where: request.url.lowercased().hasPrefix),
            let easy = unsafe curl_easy_init()
        else { return nil }
        unsafe self.easy = easy
        let own = unsafe Unmanaged.passUnretained(self).toOpaque()
        let isSet =
            if let mail = request.mail { unsafe prepare(mail, easy) } else {
                unsafe prepareHTTP(easy, userAgent: userAgent)
            }
        guard isSet else { return nil }
        if let authorities = request.authorities {
            let code = unsafe costgauge_curl_set_text(easy, CURLOPT_CAINFO, authorities)
            guard code == CURLE_OK else { return nil }
        }
        let numbers: [(CURLoption, Int)] = [
            (CURLOPT_NOSIGNAL, 1), (CURLOPT_CONNECTTIMEOUT_MS, request.connectMillis),
            (CURLOPT_TIMEOUT_MS, request.totalMillis),
        ]
        for (option, number) in numbers { unsafe costgauge_curl_set_long(easy, option, number) }
        unsafe costgauge_curl_set_sink(easy, CURLOPT_WRITEFUNCTION, takeBody)
        unsafe costgauge_curl_set_pointer(easy, CURLOPT_WRITEDATA, own)
        unsafe costgauge_curl_set_sink(easy, CURLOPT_HEADERFUNCTION, takeHeader)
        unsafe costgauge_curl_set_pointer(easy, CURLOPT_HEADERDATA, own)
        return unsafe easy
    }

    private func prepareHTTP(_ easy: UnsafeMutableRawPointer, userAgent: String) -> Bool {
        // Bodies above 1 KiB would otherwise wait for a "100 Continue" that many servers never
        // send.
        unsafe headers = curl_slist_append(nil, "Expect:")
        for (name, value) in request.headers {
            unsafe headers = curl_slist_append(headers, "\(name): \(value)")
        }
        let texts: [(CURLoption, String)] = [
            (CURLOPT_URL, request.url), (CURLOPT_CUSTOMREQUEST, request.method),
            (CURLOPT_PROTOCOLS_STR, "http,https"), (CURLOPT_USERAGENT, userAgent),
            (CURLOPT_PROXY, request.proxy ?? ""),
        ]
        for (option, text) in texts {
            guard unsafe costgauge_curl_set_text(easy, option, text) == CURLE_OK else {
                return false
            }
        }
        let method = request.method == "GET" ? CURLOPT_HTTPGET : CURLOPT_POST
        for (option, number) in [(method, 1), (CURLOPT_FOLLOWLOCATION, 0)] {
            unsafe costgauge_curl_set_long(easy, option, number)
        }
        unsafe costgauge_curl_set_pointer(easy, CURLOPT_HTTPHEADER, headers)
        if request.method != "GET" { unsafe setBody(of: easy) }
        return true
    }

    private func setBody(of easy: UnsafeMutableRawPointer) {
        unsafe costgauge_curl_set_long(easy, CURLOPT_POSTFIELDSIZE, request.body.count)
        _ = unsafe request.body.withUnsafeBytes { bytes in
            // libcurl makes a copy of its own.
            unsafe costgauge_curl_set_pointer(
                easy, CURLOPT_COPYPOSTFIELDS, UnsafeMutableRawPointer(mutating: bytes.baseAddress))
        }
    }

    /// Answers how many bytes were taken; fewer than given ends the transfer.
    func receive(_ bytes: UnsafeBufferPointer<UInt8>) -> Int {
        let room = request.responseBytesMax - body.count
        unsafe body.append(contentsOf: bytes.prefix(room))
        isFull = bytes.count > room
        return min(bytes.count, room)
    }

    func receiveHeader(_ line: String) {
        guard request.mail == nil else { return receiveReply(line) }
        guard let colon = line.firstIndex(of: ":"),
            line[..<colon].lowercased() == "retry-after"
        else { return }
        retryAfter = line[line.index(after: colon)...].split(whereSeparator: \.isWhitespace)
            .joined(separator: " ")
    }

    func outcome(_ code: CURLcode, status: Int) -> HTTPClientOutcome {
        if request.mail != nil, let outcome = mailOutcome(code, status: status) { return outcome }
        if code == CURLE_OK || (isFull && status > 0) {
            return .success(
                HTTPClientResponse(status: status, retryAfter: retryAfter, body: body))
        }
        switch code {
        case CURLE_COULDNT_RESOLVE_HOST, CURLE_COULDNT_RESOLVE_PROXY:
            return .failure(.cannotResolve)
        case CURLE_COULDNT_CONNECT: return .failure(.cannotConnect)
        case CURLE_OPERATION_TIMEDOUT: return .failure(.timedOut)
        case CURLE_RECV_ERROR, CURLE_SEND_ERROR, CURLE_GOT_NOTHING, CURLE_PARTIAL_FILE:
            return .failure(.brokenOff)
        case CURLE_SSL_CONNECT_ERROR, CURLE_PEER_FAILED_VERIFICATION: return .failure(.tls)
        case CURLE_URL_MALFORMAT: return .failure(.badURL)
        // The URL's own scheme is checked when the configuration is read: this is an answer.
        case CURLE_UNSUPPORTED_PROTOCOL: return .failure(.notHTTP)
        // Without libcurl's detail, which can hold the URL.
        default: return .failure(.other(unsafe String(cString: curl_easy_strerror(code))))
        }
    }
}

private func takeBody(
    _ bytes: UnsafeMutablePointer<CChar>?, _ size: Int, _ count: Int,
    _ context: UnsafeMutableRawPointer?
) -> Int {
    guard let bytes = unsafe bytes, let context = unsafe context else { return 0 }
    let transfer = unsafe Unmanaged<Transfer>.fromOpaque(context).takeUnretainedValue()
    return unsafe bytes.withMemoryRebound(to: UInt8.self, capacity: size * count) {
        unsafe transfer.receive(UnsafeBufferPointer(start: $0, count: size * count))
    }
}

private func takeHeader(
    _ bytes: UnsafeMutablePointer<CChar>?, _ size: Int, _ count: Int,
    _ context: UnsafeMutableRawPointer?
) -> Int {
    guard let bytes = unsafe bytes, let context = unsafe context else { return 0 }
    let transfer = unsafe Unmanaged<Transfer>.fromOpaque(context).takeUnretainedValue()
    unsafe bytes.withMemoryRebound(to: UInt8.self, capacity: size * count) {
        let line = unsafe UnsafeBufferPointer(start: $0, count: size * count)
        unsafe transfer.receiveHeader(String(decoding: line, as: UTF8.self))
    }
    return size * count
}
