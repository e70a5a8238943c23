internal import Crypto
internal import Gzip
internal import HTTPClient
internal import HTTPServer
internal import SQLite
internal import YAML

/// What this build is.
public enum Version {
    public static let number = "0.1.0"

    public static var swift: String {
        #if swift(>=6.4)
            "6.4 or later"
        #else
            "6.3"
        #endif
    }

    /// The C libraries as they are at run time.
    public static var libraries: [(name: String, version: String)] {
        [
            ("libmicrohttpd", HTTPServer.libraryVersion), ("SQLite", Database.libraryVersion),
            ("libyaml", YAMLDocument.libraryVersion), ("zlib", Zlib.version),
            ("libcurl", HTTPClient.libraryVersion), ("OpenSSL", Digest.libraryVersion),
        ]
    }
}
