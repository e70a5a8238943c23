internal import Glibc

/// A file that grows by whole lines up to a bound; then it becomes `<path>.1`, the one of that name
/// `<path>.2`, and so on, the eldest goes, and it begins anew. At most `filesMax` times the bound
/// is on disk.
@safe
public struct BoundedLog: ~Copyable {
    private let path: String
    private let bytesMax: Int
    private let filesMax: Int

    public init(path: String, bytesMax: Int, filesMax: Int = 2) {
        self.path = path
        self.bytesMax = bytesMax
        self.filesMax = filesMax
    }

    /// False when not all could be written.
    public func append(_ lines: [UInt8]) -> Bool {
        guard !lines.isEmpty else { return true }
        var status = stat()
        if unsafe stat(path, &status) == 0, Int(status.st_size) + lines.count > bytesMax {
            for number in stride(from: filesMax - 1, to: 1, by: -1) {
                // A file that is not there yet has nothing to move.
                _ = unsafe rename("\(path).\(number - 1)", "\(path).\(number)")
            }
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
