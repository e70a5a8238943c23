import Foundation

/// Inputs and expected outputs, beside this file.
enum Vectors {
    static func rows(_ name: String) throws -> [[String: String]] {
        let path = URL(filePath: #filePath).deletingLastPathComponent()
            .appending(path: "Vectors/\(name).csv")
        let lines = try String(contentsOf: path, encoding: .utf8).split(separator: "\n")
        let head = fields(lines[0])
        return lines.dropFirst().map { line in
            Dictionary(uniqueKeysWithValues: zip(head, fields(line)))
        }
    }

    private static func fields(_ line: Substring) -> [String] {
        var fields: [String] = [""]
        var isQuoted = false
        for character in line where character != "\r" {
            switch character {
            case "\"": isQuoted.toggle()
            case "," where !isQuoted: fields.append("")
            default: fields[fields.count - 1].append(character)
            }
        }
        return fields
    }

    /// Within a thousand-millionth.
    static func agree(_ left: Double, _ right: String?) -> Bool {
        guard let right = right.flatMap(Double.init) else { return false }
        return abs(left - right) <= 1e-9 * max(1, abs(right))
    }
}

extension Dictionary<String, String> {
    func number(_ key: String) -> Double { Double(self[key] ?? "") ?? .nan }
}
