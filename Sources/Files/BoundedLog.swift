internal import Glibc

/// A file that grows by whole lines up to a bound; then it becomes `<path>.1`, in place of the one
/// before, and begins anew. At most twice the bound is on disk.
@safe
public struct BoundedLog: ~Copyable {
    private let path: String
    private let bytesMax: Int

    public init(path: String, bytesMax: Int) {
        self.path = path
        self.bytesMax = bytesMax
    }

    /// False when not all could be written.
    public func append(_ lines: [UInt8]) -> Bool {
        guard !lines.isEmpty else { return true }
        var status = stat()
        if unsafe stat(path, &status) == 0, Int(status.st_size) + lines.count > bytesMax {
            guard unsafe rename(path, path + ".1") == 0 else { return false }
        }
        let file = unsafe open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o640)
        guard file >= 0 else { return false }
        defer { close(file) }
        var rest = lines.prefix(bytesMax)
        while !rest.isEmpty {
            let written = unsafe rest.withUnsafeBytes {
                unsafe write(file, $0.baseAddress, $0.count)
            }
            if written < 0, errno == EINTR { continue }
            guard written > 0 else { return false }
            rest = rest.dropFirst(written)
        }
        return true
    }
}
