internal import Web

/// A file of the web page, embedded in the binary.
public struct WebFile: Sendable {
    /// `page.css`
    public let name: String
    public let contentType: String
    public let bytes: [UInt8]

    public static let all: [WebFile] = {
        var files: [WebFile] = []
        while let file = unsafe costgauge_web_file_at(files.count)?.pointee {
            files.append(
                WebFile(
                    name: unsafe String(cString: file.name),
                    contentType: unsafe String(cString: file.content_type),
                    bytes: unsafe Array(UnsafeBufferPointer(start: file.bytes, count: file.size))))
        }
        return files
    }()
}
