import CCurl
internal import Synchronization
internal import Threading

/// libcurl's multi interface on one thread: any number of requests at once, connections kept alive.
/// https://curl.se/libcurl/c/libcurl-multi.html
///
/// Redirects are not followed, only http and https are spoken, and answers are read up to a bound:
/// a receiver may be anybody's server.
@safe
public final class HTTPClient: HTTPTransport, @unchecked Sendable {
    // `multi` is used by the client's thread, but for curl_multi_wakeup, which any thread may call.

    public static let responseBytesMax = 64 * 1024

    private struct State {
        var waiting: [Transfer] = []
        var isStopped = false
    }

    private let multi: UnsafeMutableRawPointer
    private let state = Mutex(State())
    private let thread = Mutex<NamedThread?>(nil)
    private let userAgent: String

    /// Requests are sent once `start` was called.
    public init(userAgent: String) {
        self.userAgent = userAgent
        curl_global_init(Int(CURL_GLOBAL_DEFAULT))
        guard let created = unsafe curl_multi_init() else {
            preconditionFailure("BUG: out of memory for an HTTP client")
        }
        unsafe multi = created
    }

    deinit { unsafe curl_multi_cleanup(multi) }

    public func start() {
        thread.withLock { $0 = NamedThread("http-client") { [self] in run() } }
    }

    /// Ends what is under way with `stopped` and joins the thread.
    public func stop() {
        state.withLock { $0.isStopped = true }
        unsafe curl_multi_wakeup(multi)
        thread.withLock { $0.take() }?.join()
    }

    public func send(
        _ request: HTTPClientRequest,
        completion: @escaping @Sendable (HTTPClientOutcome) -> Void
    ) {
        let transfer = Transfer(request, completion)
        let isTaken = state.withLock { state in
            if !state.isStopped { state.waiting.append(transfer) }
            return !state.isStopped
        }
        guard isTaken else { return completion(.failure(.stopped)) }
        unsafe curl_multi_wakeup(multi)
    }

    public static var libraryVersion: String {
        unsafe String(cString: curl_version()).split(separator: " ").first.map(String.init) ?? ""
    }

    private func run() {
        var active: [UnsafeMutableRawPointer: Transfer] = unsafe [:]
        while true {
            let (new, isStopped) = state.withLock { state in
                defer { state.waiting.removeAll() }
                return (state.waiting, state.isStopped)
            }
            for transfer in new {
                guard let easy = unsafe transfer.prepare(userAgent: userAgent) else {
                    transfer.finish(.failure(.badURL))
                    continue
                }
                unsafe curl_multi_add_handle(multi, easy)
                unsafe active[easy] = transfer
            }
            if isStopped { break }
            var running: Int32 = 0
            unsafe curl_multi_perform(multi, &running)
            unsafe finishDone(&active)
            unsafe curl_multi_poll(multi, nil, 0, 1000, nil)
        }
        for unsafe(easy, transfer) in unsafe active {
            unsafe curl_multi_remove_handle(multi, easy)
            transfer.finish(.failure(.stopped))
        }
    }

    private func finishDone(_ active: inout [UnsafeMutableRawPointer: Transfer]) {
        var left: Int32 = 0
        while let message = unsafe curl_multi_info_read(multi, &left) {
            guard unsafe costgauge_curl_is_done(message) != 0,
                let easy = unsafe message.pointee.easy_handle,
                let transfer = unsafe active.removeValue(forKey: easy)
            else { continue }
            let code = unsafe costgauge_curl_result(message)
            var status = 0
            unsafe costgauge_curl_status(easy, &status)
            unsafe curl_multi_remove_handle(multi, easy)
            transfer.finish(transfer.outcome(code, status: status))
        }
    }
}

/// One request under way. libcurl holds its address from `prepare` until the handle is removed; the
/// client's table keeps it alive that long.
@safe
private final class Transfer: @unchecked Sendable {
    // Touched by the sending thread before it is queued, then by the client's thread alone.
    private let request: HTTPClientRequest
    private let completion: @Sendable (HTTPClientOutcome) -> Void
    private var easy: UnsafeMutableRawPointer?
    private var headers: UnsafeMutablePointer<curl_slist>?
    private var body: [UInt8] = []
    private var retryAfter: String?
    private var isFull = false

    init(
        _ request: HTTPClientRequest, _ completion: @escaping @Sendable (HTTPClientOutcome) -> Void
    ) {
        self.request = request
        self.completion = completion
    }

    deinit {
        unsafe curl_easy_cleanup(easy)
        unsafe curl_slist_free_all(headers)
    }

    func finish(_ outcome: HTTPClientOutcome) { completion(outcome) }

    func prepare(userAgent: String) -> UnsafeMutableRawPointer? {
        guard ["http://", "https://"].contains(where: request.url.lowercased().hasPrefix) else {
            return nil
        }
        guard let easy = unsafe curl_easy_init() else { return nil }
        unsafe self.easy = easy
        let own = unsafe Unmanaged.passUnretained(self).toOpaque()
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
            guard unsafe costgauge_curl_set_text(easy, option, text) == CURLE_OK else { return nil }
        }
        let numbers: [(CURLoption, Int)] = [
            (CURLOPT_NOSIGNAL, 1), (request.method == "GET" ? CURLOPT_HTTPGET : CURLOPT_POST, 1),
            (CURLOPT_FOLLOWLOCATION, 0),
            (CURLOPT_CONNECTTIMEOUT_MS, request.connectMillis),
            (CURLOPT_TIMEOUT_MS, request.totalMillis),
        ]
        for (option, number) in numbers { unsafe costgauge_curl_set_long(easy, option, number) }
        unsafe costgauge_curl_set_pointer(easy, CURLOPT_HTTPHEADER, headers)
        if request.method != "GET" { unsafe setBody(of: easy) }
        unsafe costgauge_curl_set_sink(easy, CURLOPT_WRITEFUNCTION, takeBody)
        unsafe costgauge_curl_set_pointer(easy, CURLOPT_WRITEDATA, own)
        unsafe costgauge_curl_set_sink(easy, CURLOPT_HEADERFUNCTION, takeHeader)
        unsafe costgauge_curl_set_pointer(easy, CURLOPT_HEADERDATA, own)
        return unsafe easy
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
        guard let colon = line.firstIndex(of: ":"),
            line[..<colon].lowercased() == "retry-after"
        else { return }
        retryAfter = line[line.index(after: colon)...].split(whereSeparator: \.isWhitespace)
            .joined(separator: " ")
    }

    func outcome(_ code: CURLcode, status: Int) -> HTTPClientOutcome {
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
