"""Folders, the files in them, and images."""

from eunoe.errors.kinds import Conflict, Invalid


class FolderNameTaken(Conflict):
    """Another folder has this name; choose another one or use that folder."""

    code = "folder_name_taken"


class FileExists(Invalid):
    """The folder has a file of this name; choose another name or another duplicate_handling."""

    code = "file_exists"


class FileTypeUnsupported(Invalid):
    """Files of this type cannot be read; send text, Markdown, HTML, PDF, DOCX, data or code."""

    code = "file_type_unsupported"


class FileUnreadable(Invalid):
    """No text could be got out of the file."""

    code = "file_unreadable"


class FileTaken(Conflict):
    """Another process has taken up the work on this file, or it was deleted."""

    code = "file_taken"


class ImageInvalid(Invalid):
    """An image is none that models can be shown; send PNG, JPEG, GIF or WebP in base64."""

    code = "image_invalid"
