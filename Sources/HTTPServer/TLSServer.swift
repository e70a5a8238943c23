import CMicroHTTPD
internal import Glibc
internal import Synchronization

/// How a server speaks TLS.
public struct TLSSettings: Equatable, Sendable {
    public enum Version: String, CaseIterable, Sendable {
        case tls12 = "TLS12"
        case tls13 = "TLS13"
    }

    /// PEM, or the file that holds it.
    public enum Source: Equatable, Sendable {
        case text([UInt8])
        case file(String)
    }

    public var certificate: Source
    public var key: Source
    public var least = Version.tls12
    public var most = Version.tls13

    public init(certificate: Source, key: Source) {
        self.certificate = certificate
        self.key = key
    }
}

/// The identity that handshakes of this process show. Files are looked at again when they change,
/// so that a renewed certificate is in use with the next connection.
///
/// GnuTLS hands its callback no context, so there is one for the process: `install`.
public final class TLSServer: Sendable {
    private struct State {
        var identity: TLSIdentity
        /// Replaced, and maybe still in the hands of a handshake.
        var retired: [TLSIdentity] = []
        var stamp: [Int64]
        var lookedAt: UInt64 = 0
    }

    /// A replaced identity is freed after so many further ones: handshakes end long before.
    private static let retiredMax = 8
    private static let lookNanos: UInt64 = 1_000_000_000
    /// A file with more is no certificate.
    public static let fileBytesMax = 64 * 1024

    private let settings: TLSSettings
    private let state: Mutex<State>
    private let now: @Sendable () -> UInt64
    private let log: @Sendable (_ fault: String?) -> Void

    /// - Parameter now: monotonic nanoseconds.
    /// - Parameter log: told nil when a renewed certificate is in use, or why it is not.
    public init(
        _ settings: TLSSettings, now: @escaping @Sendable () -> UInt64,
        log: @escaping @Sendable (_ fault: String?) -> Void
    ) throws(TLSFault) {
        self.settings = settings
        self.now = now
        self.log = log
        let stamp = Self.stamp(settings)
        state = Mutex(State(identity: try Self.load(settings), stamp: stamp))
    }

    /// From here on every handshake of the process asks this one.
    public func install() { installed.withLock { $0 = self } }

    public static func load(_ settings: TLSSettings) throws(TLSFault) -> TLSIdentity {
        try TLSIdentity(
            certificate: try bytes(of: settings.certificate, .certificate),
            key: try bytes(of: settings.key, .key))
    }

    private static func bytes(
        of source: TLSSettings.Source, _ part: TLSFault.Part
    ) throws(TLSFault) -> [UInt8] {
        let path: String
        switch source {
        case .text(let bytes): return bytes
        case .file(let name): path = name
        }
        let file = unsafe open(path, O_RDONLY | O_CLOEXEC)
        guard file >= 0 else {
            let cause = unsafe String(cString: strerror(errno))
            throw TLSFault(part: part, message: "cannot read \(path): \(cause)")
        }
        defer { close(file) }
        var content = [UInt8](repeating: 0, count: fileBytesMax + 1)
        var count = 0
        while count < content.count {
            let read = unsafe content.withUnsafeMutableBytes { buffer in
                unsafe Glibc.read(
                    file, buffer.baseAddress.map { unsafe $0 + count }, buffer.count - count)
            }
            if read < 0 {
                let cause = unsafe String(cString: strerror(errno))
                throw TLSFault(part: part, message: "cannot read \(path): \(cause)")
            }
            if read == 0 { return Array(content.prefix(count)) }
            count += read
        }
        throw TLSFault(part: part, message: "\(path) has more than \(fileBytesMax) bytes")
    }

    /// What of the files differs once one is replaced or written.
    private static func stamp(_ settings: TLSSettings) -> [Int64] {
        var stamp: [Int64] = []
        for source in [settings.certificate, settings.key] {
            guard case .file(let path) = source else { continue }
            var status = stat()
            guard unsafe stat(path, &status) == 0 else {
                stamp.append(-1)
                continue
            }
            stamp += [
                Int64(status.st_size), Int64(clamping: status.st_ino),
                Int64(status.st_mtim.tv_sec), Int64(status.st_mtim.tv_nsec),
            ]
        }
        return stamp
    }

    /// Never fails: until a renewed certificate can be read with its key, the old one stays.
    fileprivate var current: TLSIdentity {
        state.withLock { state in
            let time = now()
            guard time >= state.lookedAt &+ Self.lookNanos else { return state.identity }
            state.lookedAt = time
            let stamp = Self.stamp(settings)
            guard stamp != state.stamp else { return state.identity }
            state.stamp = stamp
            do throws(TLSFault) {
                let renewed = try Self.load(settings)
                state.retired.append(state.identity)
                if state.retired.count > Self.retiredMax { state.retired.removeFirst() }
                state.identity = renewed
                log(nil)
            } catch {
                log("\(error.part): \(error.message)")
            }
            return state.identity
        }
    }

    /// `NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2`
    /// https://gnutls.org/manual/html_node/Priority-Strings.html
    var priorities: String {
        let versions: [(TLSSettings.Version, String)] = [
            (.tls13, ":+VERS-TLS1.3"), (.tls12, ":+VERS-TLS1.2"),
        ]
        let wanted = versions.filter { version, _ in
            version.rawValue >= settings.least.rawValue
                && version.rawValue <= settings.most.rawValue
        }
        return "NORMAL:-VERS-ALL" + wanted.map(\.1).joined()
    }

    /// The text lives as long as the process, of which there is one server configuration.
    func add(to options: inout [MHD_OptionItem]) {
        let text = unsafe strdup(priorities)
        let callback:
            @convention(c) (
                OpaquePointer?, UnsafePointer<gnutls_datum_t>?, Int32,
                UnsafePointer<gnutls_pk_algorithm_t>?, Int32,
                UnsafeMutablePointer<UnsafeMutablePointer<gnutls_pcert_st>?>?,
                UnsafeMutablePointer<UInt32>?, UnsafeMutablePointer<OpaquePointer?>?
            ) -> Int32 = unsafe showIdentity
        unsafe options.insert(
            contentsOf: [
                MHD_OptionItem(
                    option: .HTTPS_PRIORITIES, value: 0, ptr_value: UnsafeMutableRawPointer(text)),
                MHD_OptionItem(
                    option: .HTTPS_CERT_CALLBACK, value: 0,
                    ptr_value: unsafeBitCast(callback, to: UnsafeMutableRawPointer.self)),
            ], at: 0)
    }
}

private let installed = Mutex<TLSServer?>(nil)

/// GnuTLS keeps what it is given until the handshake is over, and frees none of it.
private func showIdentity(
    _ session: OpaquePointer?, _ authorities: UnsafePointer<gnutls_datum_t>?,
    _ authorityCount: Int32, _ algorithms: UnsafePointer<gnutls_pk_algorithm_t>?,
    _ algorithmCount: Int32,
    _ chain: UnsafeMutablePointer<UnsafeMutablePointer<gnutls_pcert_st>?>?,
    _ count: UnsafeMutablePointer<UInt32>?, _ key: UnsafeMutablePointer<OpaquePointer?>?
) -> Int32 {
    guard let identity = installed.withLock({ $0 })?.current else { return -1 }
    unsafe chain?.pointee = identity.chain
    unsafe count?.pointee = identity.count
    unsafe key?.pointee = identity.key
    return 0
}

extension HTTPServer.Settings {
    func replaces(_ name: String) -> Bool {
        guard !headers.isEmpty else { return false }
        return headers.contains { $0.name.lowercased() == name.lowercased() }
    }
}
