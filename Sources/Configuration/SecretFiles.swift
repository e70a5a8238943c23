internal import Usage

/// Reads the files that `..._file` keys name, so that secrets stay out of the configuration.
public struct SecretFiles: Sendable {
    public enum Content: Sendable {
        case text([UInt8])
        case unreadable(cause: String)
    }

    let read: @Sendable (_ path: String) -> Content

    public init(read: @escaping @Sendable (_ path: String) -> Content) { self.read = read }

    /// No file can be read.
    public static let none = SecretFiles { _ in .unreadable(cause: "files are not read here") }
}

extension ConfigurationMap {
    static let secretBytesMax = 4096

    /// A text that may be a secret: as `name`, with `${VARIABLE}` replaced, or in the file that
    /// `name_file` names. Nil when neither is there, or with a fault.
    mutating func secret(_ name: String) -> Secret? {
        let plain = string(name, default: "", bytesMax: Self.secretBytesMax)
        let path = string("\(name)_file", default: "")
        guard plain.isEmpty || path.isEmpty else {
            fault("\(name)_file", "\(name) is set too; keep one of them")
            return nil
        }
        if !plain.isEmpty { return expand(plain, name).map { Secret($0) } }
        guard !path.isEmpty else {
            for key in [name, "\(name)_file"] where has(key) { fault(key, "must not be empty") }
            return nil
        }
        // Somebody's secret, in the wrong key: it is not repeated.
        guard !path.contains("://") else {
            fault("\(name)_file", "must be the path of a file; write the text itself under \(name)")
            return nil
        }
        switch reader.secretFiles.read(path) {
        case .unreadable(let cause):
            fault("\(name)_file", "cannot read \(path): \(cause)")
            return nil
        case .text(let bytes):
            let text = String(decoding: bytes, as: UTF8.self)
            let trimmed = text.split(whereSeparator: \.isWhitespace)
            guard trimmed.count == 1, bytes.count <= Self.secretBytesMax else {
                fault(
                    "\(name)_file",
                    "\(path) must hold one word of at most \(Self.secretBytesMax) bytes")
                return nil
            }
            return Secret(String(trimmed[0]))
        }
    }

    /// Replaces each `${NAME}` by that variable of the environment.
    func expand(_ text: String, _ name: String) -> String? {
        var result = ""
        var rest = text[...]
        while let start = rest.firstIndex(of: "$"), rest[start...].hasPrefix("${"),
            let end = rest[start...].firstIndex(of: "}")
        {
            let variable = String(rest[rest.index(start, offsetBy: 2)..<end])
            guard let value = reader.use(variable), !value.isEmpty else {
                fault(name, "the environment variable \(variable) is not set")
                return nil
            }
            result += rest[..<start] + value
            rest = rest[rest.index(after: end)...]
        }
        guard !rest.contains("${") else {
            fault(name, "has a ${ without its }")
            return nil
        }
        return result + rest
    }
}
