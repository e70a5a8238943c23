import CCrypto

/// Hashes and codes from OpenSSL's libcrypto.
public enum Digest {
    static let bytes = 32

    public static func sha256(_ message: Span<UInt8>) -> [UInt8] {
        unsafe message.withUnsafeBufferPointer { message in
            unsafe [UInt8](unsafeUninitializedCapacity: bytes) { digest, count in
                unsafe SHA256(message.baseAddress, message.count, digest.baseAddress)
                count = bytes
            }
        }
    }

    /// RFC 2104 with SHA-256.
    public static func hmacSHA256(key: Span<UInt8>, _ message: Span<UInt8>) -> [UInt8] {
        unsafe key.withUnsafeBufferPointer { key in
            unsafe message.withUnsafeBufferPointer { message in
                unsafe [UInt8](unsafeUninitializedCapacity: bytes) { code, count in
                    unsafe HMAC(
                        EVP_sha256(), key.baseAddress, Int32(key.count), message.baseAddress,
                        message.count, code.baseAddress, nil)
                    count = bytes
                }
            }
        }
    }

    public static var libraryVersion: String {
        unsafe String(cString: OpenSSL_version(OPENSSL_VERSION))
    }
}
