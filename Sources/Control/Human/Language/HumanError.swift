// SPDX-License-Identifier: GPL-2.0-or-later

/// Why a line of the human monitor could not be done.
enum HumanError: Error, Equatable {
  /// The line is not as the command wants it; told with a hint where help is.
  case usage(String)
  /// There is no such command; told as it is.
  case plain(String)
  /// The command could not be done; told as an error.
  case failed(String)
  /// The answer is as long as one may be; what is there is told.
  case outputIsFull
}
