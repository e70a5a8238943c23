import CMicroHTTPD
internal import Glibc
internal import Synchronization
internal import Threading

/// Why the server could not start.
public struct HTTPServerError: Error, CustomStringConvertible {
    public let address: ListenAddress
    /// The system's error number, 0 when libmicrohttpd gave none.
    public let errorNumber: Int32
    /// What is wrong with the certificate, when that is why.
    public let certificate: String?

    init(address: ListenAddress, errorNumber: Int32) {
        self.address = address
        self.errorNumber = errorNumber
        certificate = nil
    }

    public init(certificate: String) {
        address = ListenAddress(host: "", port: 0)
        errorNumber = 0
        self.certificate = certificate
    }

    public var isAddressInUse: Bool { errorNumber == EADDRINUSE }

    public var description: String {
        if let certificate { return "cannot serve TLS: \(certificate)" }
        let cause =
            errorNumber == 0
            ? "libmicrohttpd did not start" : unsafe String(cString: strerror(errorNumber))
        return "cannot listen on \(address): \(cause)"
    }
}

/// libmicrohttpd with epoll on one thread: https://www.gnu.org/software/libmicrohttpd/
///
/// A request waits without a thread: `HTTPExchange.park` lets the server's go on, so that it holds
/// thousands of clients that wait for their commit.
@safe
public final class HTTPServer: @unchecked Sendable {
    // `daemon`, `thread` and `isAccepting` are written by init, stopAccepting and stop only, which
    // the owner calls in turn; `lastReply` is touched by the server's thread only.

    public struct Settings: Sendable {
        public var address: ListenAddress
        /// More connections than this wait in the kernel's backlog.
        public var connectionsMax: UInt32
        /// For the request line and headers of one connection, of which cookies are kept twice;
        /// what is left of it, for its body to pass through and for the head of the answer.
        public var connectionBytes: Int
        /// A connection that sends or takes nothing for so long is closed.
        public var idleSeconds: UInt32
        /// Bodies in memory, all connections together.
        public var bodiesBytesMax: Int
        /// Nil: plain HTTP.
        public var tls: TLSServer?
        /// False where a quota limits the processor time of the process: then the server's thread
        /// always sleeps while it waits.
        public var mayWatch = true
        /// On every response, in place of its own of that name.
        public var headers: [(name: String, value: String)] = []

        public init(
            address: ListenAddress, connectionsMax: UInt32 = 4096,
            connectionBytes: Int = 32 * 1024, idleSeconds: UInt32 = 30,
            bodiesBytesMax: Int = 256 * 1024 * 1024
        ) {
            self.address = address
            self.connectionsMax = connectionsMax
            self.connectionBytes = connectionBytes
            self.idleSeconds = idleSeconds
            self.bodiesBytesMax = bodiesBytesMax
        }
    }

    /// A refused body up to this size is read to its end, so that the client sees the answer
    /// instead of a reset connection.
    static let drainBytesMax = 64 * 1024 * 1024

    let settings: Settings
    let handler: any HTTPHandler
    let log: @Sendable (String) -> Void
    let bodyBytes = Atomic<Int>(0)
    let loop: ServerLoop
    var lastReply: LastReply?
    private var daemon: OpaquePointer?
    private var thread: NamedThread?
    private var isAccepting = true
    /// As bound: the port that the kernel chose when 0 was asked for.
    public private(set) var address: ListenAddress

    /// Starts to listen at once. `log` takes libmicrohttpd's own complaints.
    public init(
        settings: Settings, handler: any HTTPHandler, log: @escaping @Sendable (String) -> Void
    ) throws(HTTPServerError) {
        self.settings = settings
        self.handler = handler
        self.log = log
        loop = ServerLoop(mayWatch: settings.mayWatch)
        address = settings.address
        let context = unsafe Unmanaged.passUnretained(self).toOpaque()
        var options = unsafe Self.options(settings, context)
        if let tls = settings.tls { unsafe tls.add(to: &options) }
        var flags =
            MHD_USE_EPOLL.rawValue | MHD_ALLOW_SUSPEND_RESUME.rawValue
            | MHD_USE_ERROR_LOG.rawValue | MHD_USE_TURBO.rawValue
        if settings.tls != nil { flags |= MHD_USE_TLS.rawValue }
        if settings.address.isIPv6 { flags |= MHD_USE_IPv6.rawValue }
        let (started, code) = unsafe settings.address.withSocketAddress { address in
            unsafe options.insert(
                MHD_OptionItem(
                    option: .SOCK_ADDR, value: 0,
                    ptr_value: UnsafeMutableRawPointer(mutating: address)), at: 0)
            errno = 0
            let started = unsafe costgauge_mhd_start(flags, answer, context, &options)
            return unsafe (started, errno)
        }
        guard let started = unsafe started else {
            throw HTTPServerError(address: settings.address, errorNumber: code)
        }
        unsafe daemon = unsafe started
        address = ListenAddress(
            host: settings.address.host, port: unsafe costgauge_mhd_port(started))
        thread = NamedThread("http") { [self] in
            if let daemon = unsafe daemon { unsafe loop.run(daemon, self.handler) }
        }
    }

    private static func options(
        _ settings: Settings, _ context: UnsafeMutableRawPointer
    ) -> [MHD_OptionItem] {
        func number(_ option: MHD_OPTION, _ value: Int) -> MHD_OptionItem {
            unsafe MHD_OptionItem(option: option, value: value, ptr_value: nil)
        }
        return unsafe [
            number(.CONNECTION_LIMIT, Int(settings.connectionsMax)),
            number(.CONNECTION_TIMEOUT, Int(settings.idleSeconds)),
            number(.CONNECTION_MEMORY_LIMIT, settings.connectionBytes),
            number(.STRICT_FOR_CLIENT, 1),
            MHD_OptionItem(
                option: .NOTIFY_COMPLETED,
                value: functionAddress(completed), ptr_value: context),
            MHD_OptionItem(
                option: .EXTERNAL_LOGGER,
                value: logFunctionAddress(complain), ptr_value: context),
            MHD_OptionItem(
                option: .UNESCAPE_CALLBACK,
                value: unescapeFunctionAddress(keepEscapes), ptr_value: nil),
            number(.END, 0),
        ]
    }

    /// Takes no new connections; those that exist go on. Call before `stop`.
    public func stopAccepting() {
        guard let daemon = unsafe daemon, isAccepting else { return }
        isAccepting = false
        let listener = unsafe MHD_quiesce_daemon(daemon)
        if listener >= 0 { close(listener) }
    }

    /// Closes every connection and joins the thread. No exchange may be parked any more.
    public func stop() {
        guard let daemon = unsafe daemon else { return }
        stopAccepting()
        loop.stop()
        thread?.join()
        thread = nil
        if let reply = unsafe lastReply?.reply { unsafe MHD_destroy_response(reply) }
        lastReply = nil
        unsafe MHD_stop_daemon(daemon)
        unsafe self.daemon = nil
    }

    public static var libraryVersion: String { unsafe String(cString: MHD_get_version()) }
}

// Options carry callbacks as integers.
private func functionAddress(_ function: @escaping MHD_RequestCompletedCallback) -> Int {
    unsafe unsafeBitCast(function, to: Int.self)
}

private func logFunctionAddress(_ function: @escaping MHD_LogCallback) -> Int {
    unsafe unsafeBitCast(function, to: Int.self)
}

private typealias Unescape =
    @convention(c) (UnsafeMutableRawPointer?, OpaquePointer?, UnsafeMutablePointer<CChar>?) -> Int

private func unescapeFunctionAddress(_ function: @escaping Unescape) -> Int {
    unsafe unsafeBitCast(function, to: Int.self)
}

/// Paths keep their escapes, so that `%2F` inside a segment does not split it.
private func keepEscapes(
    _ context: UnsafeMutableRawPointer?, _ connection: OpaquePointer?,
    _ text: UnsafeMutablePointer<CChar>?
) -> Int {
    guard let text = unsafe text else { return 0 }
    return unsafe strlen(text)
}

private func complain(
    _ context: UnsafeMutableRawPointer?, _ format: UnsafePointer<CChar>?,
    _ arguments: CVaListPointer?
) {
    guard let context = unsafe context, let arguments = unsafe arguments else { return }
    let server = unsafe Unmanaged<HTTPServer>.fromOpaque(context).takeUnretainedValue()
    var buffer = [CChar](repeating: 0, count: 512)
    let count = unsafe Int(costgauge_mhd_format(&buffer, buffer.count, format, arguments))
    guard count > 0 else { return }
    let bytes = buffer.prefix(min(count, buffer.count - 1)).map { UInt8(bitPattern: $0) }
    var text = String(decoding: bytes, as: UTF8.self)
    if text.hasSuffix("\n") { text.removeLast() }
    server.log(text)
}

/// The one place that releases an exchange; libmicrohttpd calls it at every end of a request.
private func completed(
    _ context: UnsafeMutableRawPointer?, _ connection: OpaquePointer?,
    _ slot: UnsafeMutablePointer<UnsafeMutableRawPointer?>?, _ code: MHD_RequestTerminationCode
) {
    guard let opaque = unsafe slot?.pointee else { return }
    let exchange = unsafe Unmanaged<HTTPExchange>.fromOpaque(opaque).takeRetainedValue()
    exchange.server.end(exchange)
    unsafe slot?.pointee = nil
}

private func answer(
    _ context: UnsafeMutableRawPointer?, _ connection: OpaquePointer?, _ url: UnsafePointer<CChar>?,
    _ method: UnsafePointer<CChar>?, _ version: UnsafePointer<CChar>?,
    _ upload: UnsafePointer<CChar>?, _ uploadSize: UnsafeMutablePointer<Int>?,
    _ slot: UnsafeMutablePointer<UnsafeMutableRawPointer?>?
) -> MHD_Result {
    guard let context = unsafe context, let connection = unsafe connection, let slot = unsafe slot,
        let uploadSize = unsafe uploadSize, let url = unsafe url, let method = unsafe method
    else { return .NO }
    guard let opaque = unsafe slot.pointee else {
        let server = unsafe Unmanaged<HTTPServer>.fromOpaque(context).takeUnretainedValue()
        let exchange = unsafe HTTPExchange(
            connection: connection, server: server,
            method: HTTPMethod(method), path: String(cString: url))
        unsafe slot.pointee = Unmanaged.passRetained(exchange).toOpaque()
        return server.begin(exchange)
    }
    let exchange = unsafe Unmanaged<HTTPExchange>.fromOpaque(opaque).takeUnretainedValue()
    let size = unsafe uploadSize.pointee
    if size > 0, let upload = unsafe upload {
        unsafe upload.withMemoryRebound(to: UInt8.self, capacity: size) {
            unsafe exchange.server.receive(
                UnsafeBufferPointer(start: $0, count: size), for: exchange)
        }
        unsafe uploadSize.pointee = 0
        return .YES
    }
    return exchange.server.finish(exchange)
}
