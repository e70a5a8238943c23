internal import Glibc

/// The first 100 bytes of an SQLite file, read without SQLite: a look that cannot change the file.
/// https://www.sqlite.org/fileformat.html#the_database_header
struct FileHeader: Equatable {
    let userVersion: Int
    let applicationID: Int32
    let pageCount: UInt32

    /// No table yet: a process was killed between creating the file and its first commit.
    var isBlank: Bool { applicationID == 0 && userVersion == 0 && pageCount <= 1 }

    enum Reading: Equatable {
        case absent
        case header(FileHeader)
        case notADatabase
        case unreadable(errorNumber: Int32)
    }

    static func read(_ path: String) -> Reading {
        let file = unsafe open(path, O_RDONLY | O_CLOEXEC)
        guard file >= 0 else {
            return errno == ENOENT ? .absent : .unreadable(errorNumber: errno)
        }
        defer { close(file) }
        var bytes = [UInt8](repeating: 0, count: 100)
        let count = unsafe Glibc.read(file, &bytes, bytes.count)
        if count < 0 { return .unreadable(errorNumber: errno) }
        // An empty file is what SQLite itself leaves when it is killed before the first write.
        if count == 0 { return .absent }
        guard count == 100, bytes.starts(with: Array("SQLite format 3\0".utf8)) else {
            return .notADatabase
        }
        return .header(
            FileHeader(
                userVersion: Int(Self.bigEndian(bytes, 60)),
                applicationID: Int32(bitPattern: Self.bigEndian(bytes, 68)),
                pageCount: Self.bigEndian(bytes, 28)))
    }

    /// 0 for a file that is not there.
    static func size(of path: String) -> Int64 {
        var status = stat()
        return unsafe stat(path, &status) == 0 ? Int64(status.st_size) : 0
    }

    private static func bigEndian(_ bytes: [UInt8], _ offset: Int) -> UInt32 {
        bytes[offset..<offset + 4].reduce(0) { $0 << 8 | UInt32($1) }
    }
}
