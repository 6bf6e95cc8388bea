// SPDX-License-Identifier: GPL-2.0-or-later

import CHost
import Glibc

/// The descriptors 0, 1 and 2.
public enum StandardDescriptors {
  /// Opens `/dev/null` for those that the parent left closed, so that no image or socket gets such a number and
  /// is taken for the terminal. To be called before anything is opened.
  public static func ensureOpen() {
    for standard in [STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO]
    where martlet_fcntl(standard, F_GETFD, 0) < 0 {
      // The lowest free number is the one that was found closed.
      _ = martlet_open("/dev/null", O_RDWR, 0)
    }
  }
}
