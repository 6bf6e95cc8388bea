// SPDX-License-Identifier: GPL-2.0-or-later

import CVNCServer
import DynamicLibrary
import EventLoop
import Logging

/// libvncserver's state that belongs to the process rather than to a screen: its log, the protocol extension,
/// and lists without a lock.
enum RFBLibrary {
  /// Held whenever the library is called. All screen threads of a process take turns.
  static let lock = MachineLock()

  /// The library, loaded when it is first asked for.
  static let functions = Result { () throws(DynamicLibraryError) in try RFBFunctions() }

  /// Prepares the library, once.
  static func prepare(_ rfb: RFBFunctions, log: Logger) {
    if logger == nil {
      rfb.setLog(writeLog)
      ViewerExtension.register(with: rfb)
    }
    logger = log
  }

  // Guarded by `lock`.
  nonisolated(unsafe) private static var logger: Logger?

  private static let writeLog: martlet_rfbLogSink = { line in
    guard let line else { return }
    // Called with `lock` held, as everything in the library.
    let text = String(cString: line).split(whereSeparator: \.isNewline).joined(separator: " ")
    RFBLibrary.logger?.trace("libvncserver: \(text)")
  }

  /// The pointer that viewers show: a dot, so that the guest's own can be seen beside it. It is never freed.
  /// The library fills it in under `lock`.
  nonisolated(unsafe) static let dot: rfbCursorPtr? = {
    let side: Int32 = 5
    var picture = Array("       xxx  xxx  xxx      ".utf8CString)
    var mask = Array(String(repeating: "x", count: Int(side * side)).utf8CString)
    let cursor = try? functions.get().makeXCursor(side, side, &picture, &mask)
    cursor?.pointee.xhot = 2
    cursor?.pointee.yhot = 2
    return cursor
  }()
}
