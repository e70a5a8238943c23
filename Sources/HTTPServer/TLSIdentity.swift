import CMicroHTTPD

/// Why a certificate or its key cannot be used.
public struct TLSFault: Error, Equatable, Sendable {
    public enum Part: Sendable { case certificate, key }

    public let part: Part
    public let message: String
}

/// A chain of certificates and its private key, as GnuTLS keeps them.
/// https://www.gnutls.org/manual/html_node/Abstract-key-types.html
@safe
public final class TLSIdentity: @unchecked Sendable {
    // Written by init only; afterwards GnuTLS reads it, from the threads of the servers.

    let chain: UnsafeMutablePointer<gnutls_pcert_st>
    private(set) var count: UInt32 = 0
    let key: gnutls_privkey_t

    /// A longer chain is no chain.
    static let chainMax: UInt32 = 16

    /// - Parameters:
    ///   - certificate: PEM: the server's own first, then those that vouch for it.
    ///   - key: PEM, without a password.
    public init(certificate: [UInt8], key text: [UInt8]) throws(TLSFault) {
        unsafe chain = .allocate(capacity: Int(Self.chainMax))
        var opened: gnutls_privkey_t?
        guard unsafe gnutls_privkey_init(&opened) == 0, let opened = unsafe opened else {
            unsafe chain.deallocate()
            throw TLSFault(part: .key, message: "there is no memory for it")
        }
        unsafe key = unsafe opened
        try read(certificate, text)
    }

    private func read(_ certificate: [UInt8], _ text: [UInt8]) throws(TLSFault) {
        var read = Self.chainMax
        let chainCode = unsafe Self.withDatum(certificate) { datum in
            unsafe gnutls_pcert_list_import_x509_raw(
                chain, &read, datum, GNUTLS_X509_FMT_PEM, 0)
        }
        guard chainCode == 0, read > 0 else {
            throw TLSFault(
                part: .certificate, message: "holds no certificate in PEM: \(Self.cause(chainCode))"
            )
        }
        count = read
        let keyCode = unsafe Self.withDatum(text) { datum in
            unsafe gnutls_privkey_import_x509_raw(key, datum, GNUTLS_X509_FMT_PEM, nil, 0)
        }
        guard keyCode == 0 else {
            throw TLSFault(
                part: .key,
                message: "holds no private key in PEM without a password: \(Self.cause(keyCode))")
        }
        guard isPair else {
            throw TLSFault(part: .key, message: "is not the key of the certificate")
        }
    }

    private var isPair: Bool {
        var opened: gnutls_pubkey_t?
        guard unsafe gnutls_pubkey_init(&opened) == 0, let opened = unsafe opened else {
            return false
        }
        defer { unsafe gnutls_pubkey_deinit(opened) }
        guard unsafe gnutls_pubkey_import_privkey(opened, key, 0, 0) == 0,
            let own = unsafe Self.identifier(opened),
            let first = unsafe chain.pointee.pubkey,
            let certified = unsafe Self.identifier(first)
        else { return false }
        return own == certified
    }

    private static func identifier(_ key: gnutls_pubkey_t) -> [UInt8]? {
        var bytes = [UInt8](repeating: 0, count: 64)
        var size = bytes.count
        let flags = UInt32(GNUTLS_KEYID_USE_SHA256.rawValue)
        guard unsafe gnutls_pubkey_get_key_id(key, flags, &bytes, &size) == 0 else { return nil }
        return Array(bytes.prefix(size))
    }

    private static func withDatum(
        _ bytes: [UInt8], _ body: (UnsafePointer<gnutls_datum_t>) -> Int32
    ) -> Int32 {
        var bytes = bytes
        return unsafe bytes.withUnsafeMutableBufferPointer { buffer in
            var datum = unsafe gnutls_datum_t(
                data: buffer.baseAddress, size: UInt32(clamping: buffer.count))
            return unsafe body(&datum)
        }
    }

    private static func cause(_ code: Int32) -> String {
        unsafe gnutls_strerror(code).map { unsafe String(cString: $0) } ?? "error \(code)"
    }

    deinit {
        for index in 0..<Int(count) { unsafe gnutls_pcert_deinit(chain + index) }
        unsafe chain.deallocate()
        unsafe gnutls_privkey_deinit(key)
    }
}
