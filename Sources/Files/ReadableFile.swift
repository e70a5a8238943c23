internal import Glibc

/// A file open for reading, told apart from others by what the kernel says and not by its name.
@safe
public struct ReadableFile: ~Copyable {
    /// The same while a file is renamed; a number may come again once a file is deleted.
    public struct Identity: Hashable, Sendable {
        public let device: UInt64
        public let inode: UInt64

        public init(device: UInt64, inode: UInt64) {
            self.device = device
            self.inode = inode
        }
    }

    /// What changes while a file is open.
    public struct Status: Equatable, Sendable {
        /// Bytes; 0 when the disk refuses to tell.
        public var size: Int64 = 0
        /// The last change of its content, name, owner or mode, in Unix nanoseconds. The kernel's
        /// clock for it stands still for some milliseconds, that of some file systems for two
        /// seconds.
        public var changedNanos: Int64 = 0
        /// No directory has it any more.
        public var isDeleted = false
    }

    private let descriptor: Int32
    public let identity: Identity

    /// Nil when there is no such file, it is no regular file, or it may not be read.
    public init?(_ path: String) {
        do throws(FileFault) {
            try self.init(opening: path)
        } catch {
            return nil
        }
    }

    public init(opening path: String) throws(FileFault) {
        // Without O_NONBLOCK the open of a pipe would wait for its writer.
        let file = unsafe open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard file >= 0 else { throw FileFault.last }
        var status = stat()
        guard unsafe fstat(file, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
            close(file)
            throw FileFault.irregular
        }
        descriptor = file
        identity = Identity(device: UInt64(status.st_dev), inode: UInt64(status.st_ino))
    }

    deinit { close(descriptor) }

    public var size: Int64 { status.size }

    public var status: Status {
        var status = stat()
        guard unsafe fstat(descriptor, &status) == 0 else { return Status() }
        let changed = status.st_ctim
        return Status(
            size: Int64(status.st_size),
            changedNanos: Int64(changed.tv_sec) * 1_000_000_000 + Int64(changed.tv_nsec),
            isDeleted: status.st_nlink == 0)
    }

    /// Appends up to `count` bytes from `offset` on; fewer at the end of the file. False when the
    /// disk refuses.
    public func read(_ count: Int, at offset: Int64, into bytes: inout [UInt8]) -> Bool {
        let start = bytes.count
        bytes.append(contentsOf: repeatElement(0, count: count))
        var filled = 0
        while filled < count {
            let got = unsafe bytes.withUnsafeMutableBytes { buffer in
                guard let base = buffer.baseAddress else { return 0 }
                return unsafe pread(
                    descriptor, base + start + filled, count - filled, Int(offset) + filled)
            }
            if got < 0, errno == EINTR { continue }
            if got < 0 {
                bytes.removeLast(bytes.count - start)
                return false
            }
            if got == 0 { break }
            filled += got
        }
        bytes.removeLast(count - filled)
        return true
    }

    /// What the file at a path is now, without opening it.
    public static func identify(_ path: String) throws(FileFault) -> Identity {
        var status = stat()
        guard unsafe stat(path, &status) == 0 else { throw FileFault.last }
        guard status.st_mode & S_IFMT == S_IFREG else { throw FileFault.irregular }
        return Identity(device: UInt64(status.st_dev), inode: UInt64(status.st_ino))
    }

    /// The same; nil when there is no regular file.
    public static func identity(of path: String) -> Identity? { try? identify(path) }

    /// When the content of the file at a path was last written, in Unix nanoseconds; nil when there
    /// is none.
    public static func modifiedNanos(of path: String) -> Int64? {
        var status = stat()
        guard unsafe stat(path, &status) == 0 else { return nil }
        return Int64(status.st_mtim.tv_sec) * 1_000_000_000 + Int64(status.st_mtim.tv_nsec)
    }
}

/// Why something cannot be opened.
@safe
public struct FileFault: Error, Equatable, Sendable {
    /// It is a directory, a pipe or a device.
    static let irregular = FileFault(code: 0)

    /// What the system call left in `errno`.
    static var last: FileFault { FileFault(code: errno) }

    let code: Int32

    public var isAbsent: Bool { code == ENOENT }
    public var isIrregular: Bool { self == .irregular }

    public var text: String {
        isIrregular ? "not a regular file" : unsafe String(cString: strerror(code))
    }
}

/// Names in a directory.
public enum Directory {
    /// Those that match a shell pattern (`*`, `?`, `[..]`), in order.
    public static func names(
        in path: String, matching pattern: String
    ) throws(FileFault) -> [String] {
        guard let directory = unsafe opendir(path) else { throw FileFault.last }
        defer { unsafe closedir(directory) }
        var names: [String] = []
        while let entry = unsafe readdir(directory) {
            let name = unsafe withUnsafePointer(to: &entry.pointee.d_name) { field in
                unsafe field.withMemoryRebound(to: CChar.self, capacity: 256) {
                    unsafe String(cString: $0)
                }
            }
            if unsafe fnmatch(pattern, name, FNM_PERIOD) == 0 { names.append(name) }
        }
        return names.sorted()
    }
}
